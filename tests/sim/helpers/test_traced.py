"""What a program may ask of the function that it traces, of counters, and of the kernel's names."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.btf import BtfKind
from bpflab.contexts import LircMode2, PerfEventData, PtRegs
from bpflab.programs.result import signed
from bpflab.sim.events import InfraredKey, OverrideReturn

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TYPED = pytest.mark.usefixtures("kernel_types")
NAMES = st.sampled_from(["task_struct", "pid_t", "no_such_type", "sk_buff", "int", "vfs_read", "", "xdp_action"])


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "riscv64"])
def test_a_probed_function_is_made_to_return(arch: str) -> None:
    with Lab("sim") as lab:
        program = lab.program("r2 = -13\ncall override_return\nr0 = 0\nexit", type="kprobe", name="denies")
        regs = program.run(ctx=PtRegs(arch)).ctx
        assert isinstance(regs, PtRegs)
        assert signed(regs.ret & 0xFFFFFFFF) == -13
        assert lab.world.seen(OverrideReturn) == [OverrideReturn("denies", (1 << 64) - 13)]


def test_the_address_and_the_cookie_of_a_probe_are_the_tests() -> None:
    with Lab("sim") as lab:
        address, cookie = (
            lab.program(f"call {name}\nexit", type="kprobe") for name in ("get_func_ip", "get_attach_cookie")
        )
        entered = PtRegs.call(ip=0x1234)
        assert (address.run(ctx=entered).retval, cookie.run(ctx=entered).retval) == (0x1234, 0)
        lab.world.probe.function, lab.world.probe.cookie = 0x5678, 9
        assert (address.run(ctx=entered).retval, cookie.run(ctx=entered).retval) == (0x5678, 9)


COUNTING = """
    r6 = r1
    r7 = map[name:out][0]+0
    call get_func_arg_cnt
    *(u64 *)(r7 + 0) = r0
    r1 = r6
    r2 = {index}
    r3 = r7
    r3 += 16
    call get_func_arg
    *(u64 *)(r7 + 8) = r0
    r1 = r6
    r3 = r7
    r2 = r7
    r2 += 32
    call get_func_ret
    *(u64 *)(r7 + 24) = r0
    r0 = 0
    exit
"""


@TYPED
@pytest.mark.parametrize(
    ("attach", "index", "seen"),
    [
        ("TRACE_FEXIT", 0, [4, 0, 11, 0, 99]),
        ("TRACE_FEXIT", 3, [4, 0, 14, 0, 99]),
        ("TRACE_FEXIT", 4, [4, -22, 0, 0, 99]),
        ("TRACE_FENTRY", 1, [4, 0, 12, -95, 0]),
    ],
)
def test_a_functions_arguments_and_result_are_read_by_position(attach: str, index: int, seen: list[int]) -> None:
    with Lab("sim") as lab:
        types = lab.world.types.btf
        assert types is not None
        out = lab.map("ARRAY", value=40, max_entries=1, name="out")
        where: Any = {"attach_type": attach, "attach_btf_id": types.find("vfs_read")}
        program = lab.program(COUNTING.format(index=index), type="tracing", **where)
        program.run(args=[11, 12, 13, 14, 99])
        value = bytes(out[0])
        assert [int.from_bytes(value[at : at + 8], sys.byteorder, signed=True) for at in range(0, 40, 8)] == seen


def test_counters_are_those_that_the_test_set() -> None:
    with Lab("sim") as lab:
        lab.map("PERF_EVENT_ARRAY", max_entries=2, name="cycles")
        lab.world.counter("cycles", 1, 500, enabled=30, running=20)
        read = "r1 = map[name:cycles]\nr2 = {} ll\ncall perf_event_read\nexit"
        answers = [
            signed(lab.program(read.format(flags), type="raw_tracepoint").run().retval) for flags in (1, 0, 2, 1 << 32)
        ]
        assert answers == [500, -2, -7, -22]
        value = "r1 = map[name:cycles]\nr2 = 1\nr3 = r10\nr3 += -24\nr4 = 24\ncall perf_event_read_value\n"
        code = (
            value + "r0 = *(u64 *)(r10 - 24)\nr1 = *(u64 *)(r10 - 16)\nr0 += r1\nr1 = *(u64 *)(r10 - 8)\nr0 += r1\nexit"
        )
        assert lab.program(code, type="raw_tracepoint").run().retval == 550


@pytest.mark.parametrize("flags", [0, 1, 2, 0xFFFFFFFF, 1 << 32, 1 << 63])
def test_counters_that_are_not_there_are_answered_alike(pair: Any, flags: int) -> None:
    maps = pair.maps("PERF_EVENT_ARRAY", max_entries=2, name="cycles")
    pair.sim.world.counters.clear()
    for size in (24, 16):
        code = f"r1 = map[name:cycles]\nr2 = {flags} ll\nr3 = r10\nr3 += -24\nr4 = {size}\n"
        code += "call perf_event_read_value\nexit"
        pair.agree(code, b"", type="raw_tracepoint")
    for each in maps:
        each.close()


def test_branches_are_those_that_the_test_set() -> None:
    with Lab("sim") as lab:
        take = "r1 = r10\nr1 += -48\nr2 = 48\nr3 = {}\ncall get_branch_snapshot\nexit"
        assert signed(lab.program(take.format(0), type="raw_tracepoint").run().retval) == -2
        lab.world.branches = [(1, 2), (3, 4), (5, 6)]
        assert [signed(lab.program(take.format(n), type="raw_tracepoint").run().retval) for n in (0, 1)] == [48, -22]
        code = "r2 = r10\nr2 += -48\nr3 = 48\nr4 = 0\ncall read_branch_records\nr0 = *(u64 *)(r10 - 24)\nexit"
        assert lab.program(code, type="perf_event").run(ctx=PerfEventData(PtRegs("x86_64"))).retval == 3
        size = "r2 = 0\nr3 = 0\nr4 = 1\ncall read_branch_records\nexit"
        assert lab.program(size, type="perf_event").run(ctx=PerfEventData(PtRegs("x86_64"))).retval == 72


def test_keys_of_remote_controls_are_events() -> None:
    with Lab("sim") as lab:
        key, again = "r2 = 4\nr3 = 0x1e\nr4 = 1\ncall rc_keydown\n", "r1 = r6\ncall rc_repeat\n"
        code = f"r6 = r1\n{key}{again}r1 = r6\nr2 = -1\nr3 = 2\ncall rc_pointer_rel\nr0 = 0\nexit"
        lab.program(code, type="lirc_mode2", name="remote").run(ctx=LircMode2(sample=1))
        keys = [InfraredKey("remote", 4, 0x1E, 1), InfraredKey("remote", repeat=True)]
        assert lab.world.seen(InfraredKey) == [*keys, InfraredKey("remote", movement=(-1, 2))]


def named(lab: Lab, name: str, tail: str, *, ended: bool = True) -> str:
    """A program that has a name on its stack, and then does what `tail` says; `{size}` is how long it is."""
    text = (name.encode() + (b"\0" if ended else b"")) or b"\0"
    padded = text.ljust(-(-len(text) // 8) * 8, b"\0")
    stores = "".join(
        f"r1 = {int.from_bytes(padded[at : at + 8], lab.backend.byteorder)} ll\n*(u64 *)(r10 - {40 - at}) = r1\n"
        for at in range(0, len(padded), 8)
    )
    return stores + "r1 = r10\nr1 += -40\n" + tail.format(size=len(text))


@TYPED
@SETTINGS
@given(name=NAMES, kind=st.integers(0, 20), flags=st.sampled_from([0, 0, 0, 1]), ended=st.booleans())
@example(name="task_struct", kind=BtfKind.STRUCT, flags=0, ended=True)
@example(name="vfs_read", kind=BtfKind.FUNC, flags=0, ended=True)
def test_types_are_found_by_name_alike(pair: Any, name: str, kind: int, flags: int, ended: bool) -> None:
    tail = f"r2 = {{size}}\nr3 = {kind}\nr4 = {flags}\ncall btf_find_by_name_kind\nexit"
    pair.agree(named(pair.sim, name, tail, ended=ended), b"", type="syscall", flags=1 << 4)


@pytest.mark.parametrize(("name", "flags", "answer"), [("vfs_read", 0, 0), ("vfs_write", 0, -2), ("vfs_read", 1, -22)])
def test_symbols_are_those_that_the_test_named(name: str, flags: int, answer: int) -> None:
    with Lab("sim") as lab:
        lab.world.symbols["vfs_read"] = 0x1234
        tail = f"r2 = {{size}}\nr3 = {flags}\nr4 = r10\nr4 += -8\ncall kallsyms_lookup_name\nexit"
        assert signed(lab.program(named(lab, name, tail), type="syscall", flags=1 << 4).run().retval) == answer


def test_a_descriptor_that_is_not_open_is_not_closed(pair: Any) -> None:
    pair.agree("r1 = 900000\ncall sys_close\nexit", b"", type="syscall", flags=1 << 4)
