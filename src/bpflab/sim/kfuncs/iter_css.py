"""Iterators over the tree of cgroups, and over the tasks in one (kernel/bpf/cgroup_iter.c, task_iter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.btf import BtfKind
from bpflab.abi.errno import Errno
from bpflab.abi.iteration import CSS_TASK_PROCS, CSS_TASK_THREADED, CgroupWalk
from bpflab.obj.btf_layout import field
from bpflab.sim import iterators
from bpflab.sim.kfuncs.cgroup import cgroup_at
from bpflab.sim.kfuncs.task import known_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.cgroups import Cgroup
    from bpflab.sim.test_run import Environment


def bpf_iter_css_new(env: Environment, it: int, start: int, flags: int) -> int:
    """Begin at the state of a cgroup's own, down or up the tree."""
    iterators.begin(env, it, ())
    if flags not in set(CgroupWalk):
        return -Errno.EINVAL
    offset = _state_offset(env)
    walked = _walked(env, cgroup_at(env, start - offset), CgroupWalk(flags))
    iterators.begin(env, it, [_state_of(each) + offset for each in walked])
    return 0


def bpf_iter_css_next(env: Environment, it: int) -> int:
    """Give the next cgroup's state, null at the end."""
    return iterators.advance(env, it) or 0


def bpf_iter_css_destroy(env: Environment, it: int) -> None:
    """End it."""
    iterators.end(env, it)


def bpf_iter_css_task_new(env: Environment, it: int, css: int, flags: int) -> int:
    """Begin over the tasks of a cgroup, or over the leaders of processes among them."""
    iterators.begin(env, it, ())
    if flags not in {0, CSS_TASK_PROCS, CSS_TASK_PROCS | CSS_TASK_THREADED}:
        return -Errno.EINVAL
    group = cgroup_at(env, css - _state_offset(env))
    tasks = [each for each in known_tasks(env) if each.cgroup is group]
    chosen = [each for each in tasks if not flags or each.pid == each.tgid]
    iterators.begin(env, it, [each.address for each in chosen])
    return 0


def bpf_iter_css_task_next(env: Environment, it: int) -> int:
    """Give the next task, null at the end."""
    return iterators.advance(env, it) or 0


def bpf_iter_css_task_destroy(env: Environment, it: int) -> None:
    """End it."""
    iterators.end(env, it)


def _state_offset(env: Environment) -> int:
    btf = env.kernel.types.required("struct cgroup")
    return field(btf, btf.require("cgroup", BtfKind.STRUCT), "self").offset


def _state_of(group: Cgroup) -> int:
    """Return a cgroup's address, with its state pointing back to it."""
    group.struct.fill({"self.cgroup": group.struct})
    return int(group)


def _walked(env: Environment, start: Cgroup, walk: CgroupWalk) -> Iterator[Cgroup]:
    if walk is CgroupWalk.ANCESTORS_UP:
        yield from reversed(start.way)
        return
    if walk is CgroupWalk.DESCENDANTS_PRE:
        yield start
    for each in env.kernel.world.cgroups:
        if each.parent is start:
            yield from _walked(env, each, walk)
    if walk is CgroupWalk.DESCENDANTS_POST:
        yield start
