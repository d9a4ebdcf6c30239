"""Memory that maps keep for tasks, inodes and cgroups, asked for by programs and by user space."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.programs.program import Program
from bpflab.programs.result import signed

SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TYPED = pytest.mark.usefixtures("kernel_types")
STORAGE = """
    r7 = 0
    call get_current_task_btf
    r6 = r0
"""
STEPS = {
    "get": "r1 = map[name:kept]\nr2 = r6\nr3 = 0\nr4 = 0\ncall task_storage_get",
    "make": "r1 = map[name:kept]\nr2 = r6\nr3 = 0\nr4 = 1\ncall task_storage_get",
    "odd": "r1 = map[name:kept]\nr2 = r6\nr3 = 0\nr4 = 2\ncall task_storage_get",
    "delete": "r1 = map[name:kept]\nr2 = r6\ncall task_storage_delete\nr7 <<= 8\nr7 += r0\nr0 = 0",
}
COUNT = """
    r7 <<= 8
    if r0 == 0 goto +4
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    r7 += r1
"""


def steps_code(steps: list[str]) -> str:
    return STORAGE + "".join(STEPS[step] + COUNT for step in steps) + "r0 = r7\nexit"


@SETTINGS
@given(steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=6))
def test_a_tasks_memory_is_made_found_and_freed_alike(pair: Any, steps: list[str]) -> None:
    maps = pair.maps("TASK_STORAGE", value="u64", name="kept")
    try:
        pair.agree(steps_code(steps), b"", type="raw_tracepoint")
    finally:
        for each in maps:
            each.close()


@TYPED
def test_each_task_has_its_own_and_the_test_reads_it_by_descriptor() -> None:
    with Lab("sim") as lab:
        kept = lab.map("TASK_STORAGE", value="u64", name="kept")
        program = lab.program(steps_code(["make"]), type="raw_tracepoint")
        first, second = lab.world.task(pid=7), lab.world.task(pid=os.getpid())
        for task in (first, first, second):
            lab.world.current = task
            program.run()
        assert [kept[lab.world.descriptor(task)] for task in (first, second)] == [2, 1]
        pidfd = os.pidfd_open(os.getpid())
        assert kept[pidfd] == 1
        os.close(pidfd)
        del kept[lab.world.descriptor(first)]
        assert lab.world.descriptor(first) not in kept


TAKING = """
    r2 = *(u64 *)(r1 + 0)
    r1 = map[name:kept]
    r3 = 0
    r4 = 1
    call {}_storage_get
    if r0 == 0 goto out
    r1 = 5
    *(u64 *)(r0 + 0) = r1
out:
    r0 = 0
    exit
"""


def typed_program(lab: Lab, code: str, kind: str, attach: str, target: str) -> Program:
    types = lab.world.types.btf
    assert types is not None
    return lab.program(code, type=kind, attach_type=attach, attach_btf_id=types.find(target) or 0)


@TYPED
def test_inodes_and_cgroups_have_theirs() -> None:
    with Lab("sim") as lab:
        for kind, target in (("inode", lab.world.struct("inode")), ("cgrp", lab.world.cgroup(name="web"))):
            kept = lab.map({"inode": "INODE_STORAGE", "cgrp": "CGRP_STORAGE"}[kind], value="u64", name="kept")
            where = ("lsm", "LSM_MAC", "bpf_lsm_inode_permission")
            hook = where if kind == "inode" else ("tracing", "TRACE_RAW_TP", "btf_trace_cgroup_mkdir")
            typed_program(lab, TAKING.format(kind), *hook).run(args=[target, 0])
            assert kept[lab.world.descriptor(target)] == 5
            kept.close()


@TYPED
def test_a_cgroup_that_has_a_directory_is_found_by_it(tmp_path: Path) -> None:
    with Lab("sim") as lab:
        kept = lab.map("CGRP_STORAGE", value="u64", name="kept")
        group = lab.world.cgroup(tmp_path)
        descriptor = os.open(tmp_path, os.O_RDONLY)
        kept[descriptor] = 9
        os.close(descriptor)
        assert kept[lab.world.descriptor(group)] == 9


def test_no_object_has_no_memory() -> None:
    with Lab("sim") as lab:
        lab.map("TASK_STORAGE", value="u64", name="kept")
        code = "r1 = map[name:kept]\nr2 = 0\ncall task_storage_delete\nexit"
        assert signed(lab.program(code, type="raw_tracepoint").run().retval) == -22
