"""Kernel and simulator measure the same, whether by marks of the engine or by probes put into the program."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bpflab import Lab, asm
from bpflab.asm import DW, B, W, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10
from bpflab.coverage import Coverage, CoverageData
from bpflab.obj.prebuilt import object_of
from bpflab.testing.programs import MAPS, PACKET, random_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpflab.asm import Items

FIREWALL: Final = object_of(Path(__file__).parents[2] / "examples/xdp_firewall/firewall.bpf.c")
KERNEL: Final = pytest.param("kernel", None, marks=pytest.mark.bpf(backend="kernel"))
WAYS: Final = [("sim", True), KERNEL]
"""How programs are measured beside the simulator's own marks: a backend, and whether probes are asked for."""

Measured = tuple[list[int], CoverageData]


def measured(backend: str, probes: bool | None, act: Callable[[Lab], list[int]]) -> Measured:
    coverage = Coverage()
    with Lab(coverage.watch(backend, probes=probes)) as lab:
        answers = act(lab)
    return answers, coverage.data


def run_random(lab: Lab, seed: int) -> list[int]:
    for name, fields in MAPS.items():
        lab.map(name=name, **fields)  # type: ignore[arg-type]  # the fields' types are Lab.map's own
    program = lab.program(random_program(seed), type="xdp", name="drawn")
    packets = [random.Random(seed + number).randbytes(PACKET + 20) for number in range(3)]
    return [program.run(packet).retval for packet in packets] + list(bytes(lab.maps["out"][0]))


@pytest.mark.parametrize(("backend", "probes"), WAYS)
@given(seed=st.integers(0, 1 << 32))
@example(seed=0)
def test_random_programs_compute_and_cover_the_same_as_by_the_engines_marks(
    backend: str, probes: bool | None, seed: int
) -> None:
    answers, data = measured(backend, probes, lambda lab: run_random(lab, seed))
    assert (answers, data) == measured("sim", None, lambda lab: run_random(lab, seed))
    assert not data.unmeasured


def run_firewall(lab: Lab) -> list[int]:
    firewall = lab.load(FIREWALL)
    firewall.maps.blocked_ports[23] = 1
    packets = [random.Random(number).randbytes(60) for number in range(20)]
    ethernet = bytes(12)
    packets += [ethernet + bytes.fromhex("0800") + bytes.fromhex("45000028000000004006") + bytes(40)]
    packets += [ethernet + bytes.fromhex("86dd6000000000140640") + bytes(60)]
    return [firewall.programs.firewall.run(packet).retval for packet in packets]


@pytest.mark.parametrize(("backend", "probes"), WAYS)
def test_the_example_firewall_is_covered_the_same_line_by_line(backend: str, probes: bool | None) -> None:
    answers, data = measured(backend, probes, run_firewall)
    assert (answers, data) == measured("sim", None, run_firewall)
    assert all(program.places for program in data.programs.values())
    assert data.hits


HEAD: Final[list[Any]] = [
    *[asm.mov(r6, r1), asm.ldx(W, r7, r1, 0), asm.ldx(W, r8, r1, 4), asm.mov(r2, r7), asm.add(r2, 14)],
    *[asm.jgt(r2, r8, "out"), asm.ldx(B, r9, r7, 0), asm.ja("begin")],
    *[asm.label("out"), asm.mov(r0, 0), asm.exit_(), asm.label("begin")],
]
"""Reads the first byte of the packet into r9."""

PROGRAMS: Final[dict[str, list[Any]]] = {
    "a jump to the next instruction": [asm.mov(r0, 2), asm.jeq(r9, 1, 0), asm.exit_()],
    "both ways to one place": [asm.jeq(r9, 1, "same"), asm.label("same"), asm.mov(r0, 2), asm.exit_()],
    "a loop": [
        *[asm.mov(r0, 0), asm.label("again"), asm.add(r0, 1), asm.and_(r9, 7), asm.jlt(r0, r9, "again"), asm.exit_()],
    ],
    "an open loop": [asm.mov(r0, 2), asm.may_goto("end"), asm.add(r0, 1), asm.label("end"), asm.exit_()],
    "a function in two places": [
        *[asm.mov(r1, r9), asm.call_sub("twice"), asm.mov(r1, r0), asm.call_sub("twice"), asm.exit_()],
        *[asm.label("twice"), asm.mov(r0, r1), asm.jeq(r0, 2, "two"), asm.add(r0, r1), asm.label("two")],
        *[asm.and_(r0, 0xFF), asm.exit_()],
    ],
    "a callback": [
        *[asm.mov(r1, r9), asm.ld_func(r2, "body"), asm.mov(r3, 0), asm.mov(r4, 0), asm.call("loop"), asm.mov(r0, 2)],
        *[asm.exit_(), asm.label("body"), asm.mov(r0, 0), asm.jlt(r1, 1, "go"), asm.mov(r0, 1), asm.label("go")],
        asm.exit_(),
    ],
    "every register in use": [
        *[asm.mov(reg, 3) for reg in (r0, r1, r2, r3, r4, r5)],
        *[asm.mov(r6, 1), asm.mov(r7, 1), asm.mov(r8, 1), asm.jeq(r9, 1, "one"), asm.mov(r0, 4), asm.label("one")],
        *[asm.add(r0, reg) for reg in (r1, r2, r3, r4, r5, r6, r7, r8, r9)],
        asm.exit_(),
    ],
    "every register and some stack in use": [
        *[asm.st(DW, r10, -16, 5), asm.mov(r0, 3), *[asm.mov(reg, 3) for reg in (r1, r2, r3, r4, r5, r6, r7, r8)]],
        *[asm.jeq(r9, 1, "one"), asm.mov(r0, 4), asm.label("one")],
        *[asm.add(r0, reg) for reg in (r1, r2, r3, r4, r5, r6, r7, r8, r9)],
        *[asm.ldx(DW, r1, r10, -16), asm.add(r0, r1), asm.exit_()],
    ],
    "a wide load across a probe": [
        *[asm.jeq(r9, 1, "wide"), asm.mov(r9, 0), asm.label("wide"), asm.ld_imm64(r0, 0x100000002)],
        *[asm.add(r0, r9), asm.exit_()],
    ],
}
"""What follows HEAD."""


def run_bytes(lab: Lab, items: Items) -> list[int]:
    program = lab.program([*HEAD, *items], type="xdp", name="built")
    return [program.run(bytes([first]) * 20).retval for first in (0, 1, 2, 200)]


@pytest.mark.parametrize(("backend", "probes"), WAYS)
@pytest.mark.parametrize("form", PROGRAMS)
def test_forms_that_are_easily_got_wrong_are_covered_the_same(form: str, backend: str, probes: bool | None) -> None:
    answers, data = measured(backend, probes, lambda lab: run_bytes(lab, PROGRAMS[form]))
    assert not data.unmeasured
    assert (answers, data) == measured("sim", None, lambda lab: run_bytes(lab, PROGRAMS[form]))


def run_tail_call(lab: Lab, *, there: bool) -> list[int]:
    table = lab.map("PROG_ARRAY", key="u32", value="u32", max_entries=2, name="table")
    caller = lab.program(
        [asm.ld_map(r2, "table"), asm.mov(r3, 0), asm.call("tail_call"), asm.mov(r0, 1), asm.exit_()],
        type="xdp",
        name="caller",
    )
    target = lab.program([asm.mov(r0, 2), asm.exit_()], type="xdp", name="target")
    if there:
        table[0] = target
    return [caller.run(bytes(20)).retval]


@pytest.mark.parametrize(("backend", "probes"), [("sim", None), *WAYS])
@pytest.mark.parametrize(("there", "slots"), [(True, (0, 2, 3)), (False, (0, 2, 3, 4, 5))])
def test_what_stands_behind_a_tail_call_ran_only_if_there_was_no_program(
    there: bool, slots: Sequence[int], backend: str, probes: bool | None
) -> None:
    answers, data = measured(backend, probes, lambda lab: run_tail_call(lab, there=there))
    assert answers == [2 if there else 1]
    caller = next(digest for digest, program in data.programs.items() if program.name == "caller")
    assert data.hits[caller].executed == sum(1 << slot for slot in slots)


def run_ld_abs(lab: Lab, packets: Sequence[bytes]) -> list[int]:
    items = [asm.mov(r6, r1), asm.ld_abs(W, 20), asm.mov(r0, 1), asm.exit_()]
    program = lab.program(items, type="socket_filter", name="reads")
    return [program.run(packet).retval for packet in packets]


@pytest.mark.parametrize(("backend", "probes"), WAYS)
@pytest.mark.parametrize("size", [14, 60])
def test_what_stands_behind_a_packet_load_ran_only_if_the_packet_was_long_enough(
    size: int, backend: str, probes: bool | None
) -> None:
    _, data = measured(backend, probes, lambda lab: run_ld_abs(lab, [bytes(size)]))
    assert data == measured("sim", None, lambda lab: run_ld_abs(lab, [bytes(size)]))[1]
    assert next(iter(data.hits.values())).executed == (0b1111 if size > 14 + 20 else 0b0011)
