"""What assemble reads: every spelling of three tools, labels, comments; and where it points when it cannot."""

from __future__ import annotations

import pytest

from bpflab.asm import Insn, assemble, disassemble
from bpflab.asm.show import show_item
from bpflab.asm.text.reader import read
from bpflab.errors import AssemblyError

SPELLINGS = [
    ("r0 = *(u32 *)(r1 + 4)", ["r0 = *(u32 *)(r1 +4)", "w0 = *(u32 *)(r1 + 0x4)", "r0=*(u32*)(r1+4)"]),
    ("r0 = *(u8 *)(r1 + 0)", ["r0 = *(u8 *)(r1)", "r0 = *(u8 *)(r1 - 0)"]),
    ("*(u64 *)(r10 - 8) = r1", ["*(u64 *)(r10 -8) = r1", "*(u64 *)(r10 - 0x8) = r1", "*(u64 *)(r10 + -8) = r1"]),
    ("*(u8 *)(r10 - 1) = w1", ["*(u8 *)(r10 -1) = r1"]),
    ("if r2 s> 5 goto +3", ["if r2 s> 5 goto pc+3", "if r2 s> 0x5 goto +0x3 <LBB0_2>"]),
    ("goto -3", ["goto pc-3", "goto -0x3 <loop>"]),
    ("call 999", ["call 0x3e7"]),
    ("call bpf_map_lookup_elem#1", ["call 1", "call map_lookup_elem", "call bpf_map_lookup_elem#196512"]),
    ("call pc+3", ["call pc+3#bpf_prog_3a5bf7967ccf3a79_F", "call pc+0x3"]),
    ("call kfunc[id:98765]", ["call bpf_unknown_function#98765"]),
    ("r1 = atomic_fetch_add((u64 *)(r10 - 8), r1)", ["r1 = atomic64_fetch_add((u64 *)(r10 -8), r1)"]),
    ("w1 = atomic_fetch_xor((u32 *)(r10 - 8), w1)", ["r1 = atomic_fetch_xor((u32 *)(r10 -8), r1)"]),
    ("r1 = xchg_64(r10 - 8, r1)", ["r1 = atomic64_xchg((u64 *)(r10 -8), r1)"]),
    ("w1 = xchg32_32(r10 - 8, w1)", ["r1 = atomic_xchg((u32 *)(r10 -8), r1)"]),
    ("r0 = cmpxchg_64(r10 - 8, r0, r1)", ["r0 = atomic64_cmpxchg((u64 *)(r10 -8), r0, r1)"]),
    ("w0 = cmpxchg32_32(r10 - 8, w0, w1)", ["r0 = atomic_cmpxchg((u32 *)(r10 -8), r0, r1)"]),
    ("w0 = load_acquire((u8 *)(r1 + 2))", ["r0 = load_acquire((u8 *)(r1 +2))"]),
    ("store_release((u32 *)(r1 + 0), w2)", ["store_release((u32 *)(r1 +0), r2)"]),
    ("r1 = 0x123 ll", ["r1 = 291 ll", "r1 = 0x123ll"]),
    ("r1 = map[idx:1][0]+4", ["r1 = map[idx:1]+4"]),
    ("r1 = map[fd:3]", ["ld_pseudo r1, 1, 3"]),
    ("w0 = w1", ["r0 = w1"]),
    ("r1 += 2", ["r1 += 2 ; comment", "r1 += 2 # comment", "r1 += 2 // comment", "\t r1+=0x2;"]),
]


@pytest.mark.parametrize(
    ("canonical", "spelling"), [(canonical, other) for canonical, others in SPELLINGS for other in others]
)
def test_every_tools_spelling_is_written_in_one(canonical: str, spelling: str) -> None:
    assert disassemble(assemble(spelling, check=False).insns) == canonical


@pytest.mark.parametrize("canonical", [canonical for canonical, _ in SPELLINGS])
def test_canonical_text_is_written_as_it_was_read(canonical: str) -> None:
    assert disassemble(assemble(canonical, check=False).insns) == canonical


@pytest.mark.parametrize(
    "text", ["r1 = map[name:x][0]+4", "r1 = data[x]+4", "r1 = x+4 ll", "r1 = subprog[x]", "goto x", "call x", "exit"]
)
def test_an_item_is_shown_as_it_was_read(text: str) -> None:
    assert show_item(read(text, "little").items[0]) == text


def test_labels_may_stand_before_an_instruction_alone_or_twice() -> None:
    text = "a: b:\n c: r0 = 0\n goto b\n d:\n goto d\n"
    assert [insn.off for insn in assemble(text).insns] == [0, -2, -1]
    assert assemble(text).labels == {"a": 0, "b": 0, "c": 0, "d": 2}


def test_a_hash_inside_a_word_is_no_comment() -> None:
    assert assemble("call bpf_ktime_get_ns#5 # the time").insns == (Insn(0x85, imm=5),)


def test_data_directives_make_the_bytes_of_their_section() -> None:
    text = r"""
    .section .rodata,"a",@progbits
    name: .asciz "a\"\n\x41\101", "b"
          .p2align 0
          .ascii ""
          .p2align 3
    wide: .quad -1
          .short 0x1234, 5
          .byte 255, -1
          .zero 3
    .bss
    .comm shared, 4, 4
    .text
    r1 = wide ll
    r2 = data[name]+2
    r3 = shared ll
    exit
    """
    assembled = assemble(text, byteorder="big")
    strings = b'a"\nAA\0b\0'
    assert assembled.data[".rodata"] == strings + b"\xff" * 8 + b"\x12\x34\x00\x05\xff\xff\0\0\0"
    assert assembled.data[".bss"] == bytes(4)
    assert [(ref.name, ref.offset) for ref in assembled.map_refs] == [(".rodata", 8), (".rodata", 2), (".bss", 0)]


def test_escapes_in_a_text_are_those_of_c() -> None:
    assembled = assemble('.rodata\n.ascii "\\a\\b\\t\\n\\v\\f\\r\\\\\\0\\q;#//"')
    assert assembled.data[".rodata"] == b"\a\b\t\n\v\f\r\\\0q;#//"


@pytest.mark.parametrize(
    ("directives", "width"),
    [
        (".byte", 1),
        (".short .hword .half .2byte", 2),
        (".long .int .word .4byte", 4),
        (".quad .xword .8byte", 8),
    ],
)
def test_numbers_take_the_width_of_their_directive(directives: str, width: int) -> None:
    for directive in directives.split():
        largest = (1 << 8 * width) - 1
        text = f".data\n{directive} 1, {largest}, {-largest // 2}"
        expected = [number % (1 << 8 * width) for number in (1, largest, -largest // 2)]
        little = b"".join(number.to_bytes(width, "little") for number in expected)
        assert assemble(text, byteorder="little").data[".data"] == little


def test_a_section_of_maps_names_maps_and_holds_no_data() -> None:
    text = '.section .maps,"aw",@progbits\ncounts:\n.zero 16\n.section tc/ingress,"ax"\nr1 = counts ll\nexit\n'
    assembled = assemble(text)
    assert assembled.maps == ("counts",)
    assert assembled.data == {}


ERRORS = [
    ("r0 === 5", 1, 4, "expected an operator"),
    ("exit\n  r0 = r11", 2, 8, "r11 is no register"),
    ("r0 = w1 + 2", 1, 9, "expected the end of the instruction, found '+'"),
    ("r0 += w1", 1, 7, "w1 mixes widths: write r1"),
    ("r0 =", 1, 5, "but the line ends"),
    ("r0 = 0x80000000", 1, 6, "2147483648 is not between"),
    ("w0 = 0x100000000", 1, 6, "4294967296 is not between"),
    ("r0 = 0x10000000000000000 ll", 1, 6, "is not between"),
    ("r0 += 007", 1, 7, "expected a number"),
    ("r0 = *(u33 *)(r1 + 0)", 1, 8, "expected u8, u16"),
    ("r0 = *(u32 *)(r1 + 40000)", 1, 18, "40000 is not between -32768 and 32767"),
    ("w0 = *(u64 *)(r1 + 0)", 1, 1, "w0 has 32 bits"),
    ("r0 = *(s64 *)(r1 + 0)", 1, 8, "s8, s16 or s32"),
    ("*(s8 *)(r1 + 0) = 1", 1, 3, "only a load extends the sign"),
    ("r1 = *(u8 *)skb[0]", 1, 1, "into r0"),
    ("*(u64 *)(r1 + 0) = w2", 1, 20, "w2 has 32 bits"),
    ("if 5 == r1 goto +1", 1, 4, "expected a register, r0 to r10 or w0 to w10"),
    ("lock *(u16 *)(r1 + 0) += w1", 1, 8, "works on u32 or u64"),
    ("lock *(u64 *)(r1 + 0) -= r1", 1, 23, "expected +="),
    ("r2 = atomic_fetch_add((u64 *)(r10 - 8), r1)", 1, 1, "comes back in r1"),
    ("r0 = cmpxchg_64(r10 - 8, r2, r1)", 1, 26, "compares with r0"),
    ("r1 = be16 r2", 1, 11, "one operand"),
    ("r1 = (s64)r2", 1, 7, "expected s8, s16"),
    ("if r1 = 5 goto +1", 1, 7, "expected a comparison"),
    ("if r1 == 5 goto 3", 1, 17, "expected a label, or a number with its sign"),
    ("if r1 == 5 goto +40000", 1, 17, "40000 is not between"),
    ("goto nowhere", 1, 6, "label 'nowhere' is not defined"),
    ("drop:\nif r1 == 2 goto dorp", 2, 17, "did you mean drop?"),
    ("call map_lookup_elm", 1, 6, "did you mean map_lookup_elem"),
    ("call bpf_dynptr_from_skb", 1, 6, "A kernel function is `call kfunc[name]`"),
    ("x:\nexit\nx:", 3, 1, "label 'x' is defined twice"),
    ("r1 = data[x]", 1, 11, "data symbol 'x' is not defined"),
    ("r1 = counts", 1, 6, "counts is no register; the address of a symbol is written `counts ll`"),
    ("r1 = map[nam:x]", 1, 10, "expected map[name:"),
    ("ret", 1, 1, "expected an instruction"),
    (".nothing 5", 1, 1, "there is no directive .nothing"),
    (".byte 5", 1, 1, "data cannot stand among instructions"),
    (".rodata\nexit", 2, 1, "expected data in section .rodata"),
    (".rodata\nx: .byte 256", 2, 10, "256 is not between -128 and 255"),
    (".rodata\n.zero 99999999999", 2, 7, "is not between"),
    (".comm a, 4, 4, x", 1, 16, "expected a number"),
    (".comm a, 4 4", 1, 12, "expected the end of the instruction"),
    (".align 16", 1, 1, "instructions stand 8 bytes apart"),
    ("@", 1, 1, "found '@'"),
    ('r1 = map[name:"x]', 1, 15, "expected a map's name"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), ERRORS)
def test_an_error_names_line_and_column_and_puts_a_caret_there(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(AssemblyError) as caught:
        assemble(text)
    first, shown, marks = str(caught.value).split("\n")
    assert first.startswith(f"line {line}, column {column}: ")
    assert message in first
    assert shown == "    " + text.split("\n")[line - 1]
    assert marks.index("^") == 4 + column - 1


def test_carets_stand_under_the_word_when_tabs_come_before_it() -> None:
    with pytest.raises(AssemblyError) as caught:
        assemble("\tr0 +=\tw1")
    _, shown, marks = str(caught.value).split("\n")
    assert shown[marks.index("^") :] == "w1"


@pytest.mark.parametrize("name", ["two words", 'quo"te', "4tuple", "naïve", "back\\slash", "new\nline"])
def test_names_of_any_characters_are_written_in_quotes_and_read_back(name: str) -> None:
    text = disassemble([Insn(0x05, off=0), Insn(0x18, 1, 1, 0, 9), Insn(0)], labels={1: name}, maps={9: name})
    assembled = assemble(text)
    assert assembled.labels == {name: 1}
    assert assembled.maps == (name,)
