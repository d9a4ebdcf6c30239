"""What the disassembler writes where it is told names, lines and numbers."""

from __future__ import annotations

import pytest

from bpflab.asm import Insn, Names, assemble, disassemble, encode, text_at
from bpflab.errors import AssemblyError

PROGRAM = """
    if r1 == 0 goto +4
    r1 = map[fd:3]
    call map_lookup_elem
    call pc+1
    exit
    goto -2
"""


def test_known_names_are_written_in_place_of_numbers() -> None:
    insns = [*assemble(PROGRAM, check=False).insns, Insn(0x85, 0, 2, 0, 77)]
    text = disassemble(insns, labels={0: "entry", 5: "out"}, maps={3: "counts"}, kfuncs={77: "bpf_one"})
    assert text.splitlines() == [
        "entry:",
        "    if r1 == 0 goto out",
        "    r1 = map[name:counts]",
        "    call bpf_map_lookup_elem#1",
        "    call sub_6",
        "out:",
        "    exit",
        "sub_6:",
        "    goto out",
        "    call kfunc[bpf_one]",
    ]


def test_numbers_are_written_where_nothing_is_known() -> None:
    insns = assemble(PROGRAM, check=False).insns
    assert disassemble(insns, helpers=False).splitlines() == [
        "if r1 == 0 goto +4",
        "r1 = map[fd:3]",
        "call 1",
        "call pc+1",
        "exit",
        "goto -2",
    ]


def test_numbered_lines_have_slot_and_opcode_as_in_a_verifiers_log() -> None:
    insns = assemble(PROGRAM, check=False).insns
    assert disassemble(insns, numbered=True).splitlines()[:3] == [
        "   0: (15) if r1 == 0 goto +4",
        "   1: (18) r1 = map[fd:3]",
        "   3: (85) call bpf_map_lookup_elem#1",
    ]


def test_source_lines_are_comments_before_their_instructions() -> None:
    insns = assemble("r0 = 2\nexit").insns
    text = disassemble(insns, sources={0: "int main(void)\n{", 1: "return 2;"})
    assert text.splitlines() == ["; int main(void)", "; {", "r0 = 2", "; return 2;", "exit"]
    assert assemble(text).insns == insns


def test_a_target_that_has_no_place_for_a_label_stays_a_number() -> None:
    insns = assemble("goto +1\nr1 = 1 ll\ngoto +7\nexit").insns
    assert disassemble(insns, labels={}).splitlines()[0] == "    goto +1"
    assert disassemble(insns, labels={2: "inside"}).splitlines()[2] == "    goto +7"


def test_a_label_that_is_made_up_does_not_take_a_given_name() -> None:
    insns = assemble("goto +0\nexit").insns
    assert disassemble(insns, labels={0: "L1"}).splitlines() == ["L1:", "    goto L1_2", "L1_2:", "    exit"]


@pytest.mark.parametrize(
    "insn",
    [
        Insn(0xFF, 1, 2, 3, 4),
        Insn(0x95, imm=1),
        Insn(0xB7, 11, 0, 0, 1),
        Insn(0xB7, 1, 2, 0, 1),
        Insn(0x8D, 1, 2),
        Insn(0xD7, 1, imm=17),
        Insn(0x18, 1, 0, 0, 1),
        Insn(0x18, 1, 7),
        Insn(0),
    ],
)
def test_what_no_text_can_show_is_written_by_its_fields(insn: Insn) -> None:
    text = disassemble([insn])
    assert text == f".insn 0x{insn.opcode:02x}, {insn.dst}, {insn.src}, {insn.off}, {insn.imm}"
    assert assemble(text, check=False).insns == (insn,)


def test_a_wide_load_into_no_register_is_written_by_its_fields_slot_by_slot() -> None:
    assert disassemble([Insn(0x18, 11), Insn(0)]) == ".insn 0x18, 11, 0, 0, 0\n.insn 0x00, 0, 0, 0, 0"


def test_one_instruction_can_be_written_alone() -> None:
    insns = assemble("r1 = 5 ll\nif r1 == 5 goto +0\ncall 1", check=False).insns
    assert [text_at(insns, slot) for slot in (0, 2, 3)] == [
        "r1 = 0x5 ll",
        "if r1 == 5 goto +0",
        "call bpf_map_lookup_elem#1",
    ]
    assert text_at(insns, 2, Names(labels={3: "on"})) == "if r1 == 5 goto on"


def test_bytes_may_come_in_any_buffer() -> None:
    code = encode([Insn(0x95)])
    assert [disassemble(given) for given in (code, bytearray(code), memoryview(code))] == ["exit"] * 3


def test_labels_exclude_numbered_lines_and_each_other() -> None:
    with pytest.raises(AssemblyError, match="numbered lines have no labels"):
        disassemble([], labels={}, numbered=True)
    with pytest.raises(AssemblyError, match="the same label"):
        disassemble([Insn(0x95)] * 2, labels={0: "x", 1: "x"})
