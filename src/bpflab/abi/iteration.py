"""What open-coded iterators over tasks and cgroups are told (kernel/bpf/task_iter.c, cgroup_iter.c, linux/bpf.h)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class TaskWalk(IntEnum):
    """BPF_TASK_ITER_*: which tasks are walked over."""

    ALL_PROCS = 0
    ALL_THREADS = 1
    PROC_THREADS = 2


class CgroupWalk(IntEnum):
    """BPF_CGROUP_ITER_*: which way the tree is walked."""

    DESCENDANTS_PRE = 2
    DESCENDANTS_POST = 3
    ANCESTORS_UP = 4


CSS_TASK_PROCS: Final = 1
"""CSS_TASK_ITER_PROCS: leaders of their processes alone."""
CSS_TASK_THREADED: Final = 2
"""CSS_TASK_ITER_THREADED, which goes with PROCS only."""
