"""Labels, long jumps, maps, data, subprograms: what the assembler makes of names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpflab.abi.insn import GOTOL, JA, LD_IMM64, WideSource
from bpflab.asm import (
    Insn,
    KfuncRef,
    MapRef,
    assemble,
    call,
    call_kfunc,
    call_sub,
    data,
    decode,
    exit_,
    gotol,
    ja,
    jeq,
    jset,
    label,
    ld_data,
    ld_func,
    ld_imm64,
    ld_map,
    ld_map_value,
    may_goto,
    mov,
    r0,
    r1,
    r2,
)
from bpflab.asm.jump import jump_distance
from bpflab.errors import AssemblyError

FAR = 40000


def test_a_jump_reaches_its_label_forward_and_backward() -> None:
    program = [label("top"), mov(r0, 0), jeq(r1, 6, "end"), ja("top"), label("end"), exit_()]
    assert [insn.off for insn in assemble(program).insns] == [0, 1, -3, 0]


def test_a_wide_load_counts_two_slots() -> None:
    program = [ja("end"), ld_imm64(r1, 1), ld_map(r1, "m"), label("end"), exit_()]
    assert assemble(program).insns[0].off == 4


def test_parts_may_be_nested_and_may_be_generators() -> None:
    program = [[mov(r0, 1), [label("x")]], (insn for insn in [mov(r1, 2), ja("x")]), exit_()]
    assert [insn.imm for insn in assemble(program).insns] == [1, 2, 0, 0]


def far(first: object, last: object) -> list[object]:
    return [first, *[mov(r0, 0)] * FAR, label("far"), last, exit_()]


def run_path(insns: tuple[Insn, ...], slot: int, *, taken: bool) -> int:
    """Follow jumps from a slot until an instruction that is none; `taken` answers the first comparison."""
    while (skip := jump_distance(insns[slot])) is not None:
        insn = insns[slot]
        always = insn.opcode in {JA, GOTOL}
        inverted = insn.opcode == 0x55
        slot += 1 + (skip if always or taken != inverted else 0)
    return slot


@pytest.mark.parametrize(
    ("jump", "slots"), [(ja("far"), 1), (jeq(r1, 6, "far"), 2), (jset(r1, 6, "far"), 3), (may_goto("far"), 3)]
)
def test_a_jump_that_16_bits_do_not_reach_is_lengthened(jump: object, slots: int) -> None:
    insns = assemble(far(jump, mov(r0, 7))).insns
    assert run_path(insns, 0, taken=True) == FAR + slots
    assert len(insns) == FAR + slots + 2


def test_a_lengthened_comparison_falls_through_where_the_short_one_does() -> None:
    for jump, slots in ((jeq(r1, 6, "far"), 2), (jset(r1, 6, "far"), 3)):
        insns = assemble(far(jump, mov(r0, 7))).insns
        assert run_path(insns, 0, taken=False) == slots


def test_a_backward_jump_is_lengthened_too() -> None:
    program = [label("top"), *[mov(r0, 0)] * FAR, jeq(r1, 6, "top"), exit_()]
    insns = assemble(program).insns
    assert run_path(insns, FAR, taken=True) == 0


@pytest.mark.parametrize(("body", "kept"), [(32767, True), (32768, False)])
def test_a_jump_stays_short_as_long_as_it_reaches(body: int, kept: bool) -> None:
    program = [jeq(r1, 6, "end"), *[mov(r0, 0)] * body, label("end"), exit_()]
    assert (len(assemble(program).insns) == body + 2) is kept


def test_lengthening_one_jump_can_push_another_out_of_reach() -> None:
    between = [mov(r0, 0)] * 32766
    program = [jeq(r1, 1, "near"), jeq(r1, 2, "far"), between, label("near"), [mov(r0, 1)] * 2, label("far"), exit_()]
    insns = assemble(program).insns
    assert len(insns) == 2 + 2 + 32766 + 2 + 1
    assert run_path(insns, 0, taken=True) == 2 + 2 + 32766


def test_a_jump_by_number_over_a_lengthened_one_is_refused() -> None:
    program = [ja(1), jeq(r1, 1, "end"), *[mov(r0, 0)] * FAR, label("end"), exit_()]
    with pytest.raises(AssemblyError, match="`goto \\+1`: it jumps by number over a jump that had to be lengthened"):
        assemble(program)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 7000)), min_size=16, max_size=16))
def test_every_jump_ends_at_its_label_however_far_it_is(places: list[tuple[int, int]]) -> None:
    program: list[object] = []
    for number, (target, padding) in enumerate(places):
        program += [label(f"l{number}"), mov(r1, number), jeq(r1, 6, f"l{target}"), [mov(r0, 0)] * padding]
    assembled = assemble([*program, exit_()])
    for number, (target, _) in enumerate(places):
        jump = assembled.labels[f"l{number}"] + 1
        assert run_path(assembled.insns, jump, taken=True) == assembled.labels[f"l{target}"]


def test_gotol_and_calls_reach_far_as_they_are() -> None:
    program = [call_sub("sub"), gotol("sub"), *[mov(r0, 0)] * FAR, label("sub"), exit_()]
    insns = assemble(program).insns
    assert [insn.imm for insn in insns[:2]] == [FAR + 1, FAR]


def test_maps_are_named_until_they_are_relocated() -> None:
    program = [ld_map(r1, "counts"), ld_map_value(r2, "config", 12), ld_map(r1, "counts"), exit_()]
    assembled = assemble(program, byteorder="little")
    assert assembled.maps == ("counts", "config")
    assert assembled.map_refs == (
        MapRef(0, "counts", WideSource.MAP_FD),
        MapRef(2, "config", WideSource.MAP_VALUE, 12),
        MapRef(4, "counts", WideSource.MAP_FD),
    )
    insns = decode(assembled.relocated({"counts": 7, "config": 9, "unused": 1}), "little")
    assert insns[:4] == [Insn(LD_IMM64, 1, 1, 0, 7), Insn(0), Insn(LD_IMM64, 2, 2, 0, 9), Insn(0, imm=12)]
    assert insns[4].imm == 7


def test_a_map_that_is_not_given_is_refused_with_near_names() -> None:
    assembled = assemble("r1 = counts ll\nexit")
    with pytest.raises(AssemblyError, match=r"instruction 0 refers to the map 'counts'; did you mean count\?"):
        assembled.relocated({"count": 3})


def test_kfuncs_are_named_until_they_are_relocated() -> None:
    assembled = assemble([call_kfunc("bpf_one"), call_kfunc(5), exit_()], byteorder="big")
    assert assembled.kfunc_refs == (KfuncRef(0, "bpf_one"),)
    assert [insn.imm for insn in decode(assembled.relocated(kfunc_id={"bpf_one": 77}), "big")] == [77, 5, 0]
    with pytest.raises(AssemblyError, match="the kfunc 'bpf_one'"):
        assembled.relocated()


def test_an_address_by_name_is_that_of_data_else_of_a_label_else_of_a_map() -> None:
    assembled = assemble("r1 = x ll\nr2 = work ll\nr3 = counts ll\nwork: exit\n.rodata\nx: .byte 1")
    assert [(ref.name, ref.kind) for ref in assembled.map_refs] == [
        (".rodata", WideSource.MAP_VALUE),
        ("counts", WideSource.MAP_FD),
    ]
    assert assembled.insns[2:4] == (Insn(LD_IMM64, 2, WideSource.FUNC, 0, 3), Insn(0))


def test_data_lies_in_its_section_aligned_and_is_addressed_by_name() -> None:
    program = [
        data("a", b"abc"),
        data("b", b"12345678", align=8),
        data("c", b"x", section=".data"),
        ld_data(r1, "b", 2),
        ld_data(r2, "c"),
        exit_(),
    ]
    assembled = assemble(program)
    assert assembled.data == {".rodata": b"abc" + bytes(5) + b"12345678", ".data": b"x"}
    assert assembled.map_refs == (
        MapRef(0, ".rodata", WideSource.MAP_VALUE, 10),
        MapRef(2, ".data", WideSource.MAP_VALUE, 0),
    )


def test_subprograms_are_what_is_called_or_called_back() -> None:
    program = [
        call_sub("first"),
        ld_func(r2, "second"),
        call_sub(2),
        exit_(),
        label("first"),
        exit_(),
        label("second"),
        exit_(),
    ]
    assembled = assemble(program)
    assert assembled.subprograms == {0: "main", 5: "first", 6: "second"}
    assert assembled.insns[1].imm == 4


def test_helpers_are_named_by_slot() -> None:
    program = [ld_imm64(r1, 1), call("ktime_get_ns"), call(99999), exit_()]
    assert assemble(program).helpers == {2: "ktime_get_ns", 3: "helper#99999"}


def test_text_lines_are_known_by_slot() -> None:
    assert assemble("\nr1 = 1 ll\nx:\n\nr0 = 2\nexit").lines == {0: 2, 1: 2, 2: 5, 3: 6}


def test_an_assembled_program_writes_a_text_that_assembles_to_itself() -> None:
    text = """
    start: r1 = counts ll
    r2 = greeting ll
    r3 = subprog[work]
    call kfunc[bpf_one]
    call kfunc[id:1]
    call work
    goto start
    work: r1 = map[fd:1]
    r2 = map[fd:2]
    exit
    .rodata
    .zero 4
    greeting: .asciz "hello"
    """
    assembled = assemble(text)
    again = assemble(str(assembled))
    assert again.insns == assembled.insns
    assert again.map_refs == assembled.map_refs
    assert again.kfunc_refs == assembled.kfunc_refs
    assert again.data == assembled.data
    assert again.subprograms == assembled.subprograms
    assert "counts" in str(assembled)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ([jeq(r1, 6, "dorp"), label("drop"), exit_()], r"item 0 .*`if r1 == 6 goto dorp`: label 'dorp' .*mean drop\?"),
        ([label("x"), label("x")], "item 1 of the program, `x:`: label 'x' is defined twice"),
        ([data("x", b""), data("x", b"")], "data symbol 'x' is defined twice"),
        ([ld_data(r1, "x")], r"`r1 = data\[x\]`: data symbol 'x' is not defined"),
        ([ld_func(r1, "x")], r"`r1 = subprog\[x\]`: label 'x' is not defined"),
        ([call_sub("x")], "`call x`: label 'x' is not defined"),
        ([mov(r0, 1), "exit"], "'exit' is no instruction"),
        ([5], "5 is no instruction"),
        ([data("x", bytes(8)), ld_data(r1, "x"), ld_data(r1, "y", 1)], r"`r1 = data\[y\]\+1`: .*mean x\?|there is x"),
        (
            [data("a", bytes(8)), data("b", b"1"), ld_data(r1, "b", 0xFFFFFFFF)],
            "offset 4294967303 does not fit 32 bits",
        ),
    ],
)
def test_an_item_that_cannot_be_assembled_is_shown(program: list[object], message: str) -> None:
    with pytest.raises(AssemblyError, match=message):
        assemble(program)
