"""Each function makes the instruction that its text says; clang agrees with the text elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from bpflab import asm
from bpflab.asm import DW, B, H, W, assemble, disassemble, r0, r1, r2, r3, r6, r7, r10
from bpflab.errors import AssemblyError, UnknownHelperError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.asm import Items

BINARY = {
    "add": "+=",
    "sub": "-=",
    "mul": "*=",
    "div": "/=",
    "sdiv": "s/=",
    "mod": "%=",
    "smod": "s%=",
    "or_": "|=",
    "and_": "&=",
    "xor": "^=",
    "lsh": "<<=",
    "rsh": ">>=",
    "arsh": "s>>=",
    "mov": "=",
}
JUMPS = {
    "jeq": "==",
    "jne": "!=",
    "jgt": ">",
    "jge": ">=",
    "jlt": "<",
    "jle": "<=",
    "jset": "&",
    "jsgt": "s>",
    "jsge": "s>=",
    "jslt": "s<",
    "jsle": "s<=",
}
SWAPS = [f"{name}{bits}" for name in ("le", "be", "bswap") for bits in (16, 32, 64)]
FETCHES = ["atomic_fetch_add", "atomic_fetch_or", "atomic_fetch_and", "atomic_fetch_xor"]

Case = tuple["Items", str]
OTHERS: list[Case] = [
    ([asm.neg(r3)], "r3 = -r3"),
    ([asm.neg32(r3)], "w3 = -w3"),
    ([asm.movs8(r1, r2)], "r1 = (s8)r2"),
    ([asm.movs16(r1, r2)], "r1 = (s16)r2"),
    ([asm.movs32(r1, r2)], "r1 = (s32)r2"),
    ([asm.mov32s8(r1, r2)], "w1 = (s8)w2"),
    ([asm.mov32s16(r1, r2)], "w1 = (s16)w2"),
    ([asm.addr_space_cast(r1, r2, 0, 1)], "r1 = addr_space_cast(r2, 0, 1)"),
    ([asm.ldx(W, r1, r6, 4)], "r1 = *(u32 *)(r6 + 4)"),
    ([asm.ldxs(H, r1, r6, -4)], "r1 = *(s16 *)(r6 - 4)"),
    ([asm.st(W, r10, -4, 7)], "*(u32 *)(r10 - 4) = 7"),
    ([asm.st(B, r10, -4, 255)], "*(u8 *)(r10 - 4) = 255"),
    ([asm.st(W, r10, -4, 0xFFFFFFFF)], "*(u32 *)(r10 - 4) = -1"),
    ([asm.stx(DW, r10, r1, -8)], "*(u64 *)(r10 - 8) = r1"),
    ([asm.ld_abs(H, 12)], "r0 = *(u16 *)skb[12]"),
    ([asm.ld_ind(B, r7, 3)], "r0 = *(u8 *)skb[r7 + 3]"),
    ([asm.atomic_add(DW, r10, r1, -8)], "lock *(u64 *)(r10 - 8) += r1"),
    ([asm.atomic_or(W, r10, r1, -8)], "lock *(u32 *)(r10 - 8) |= w1"),
    ([asm.atomic_and(DW, r10, r1)], "lock *(u64 *)(r10 + 0) &= r1"),
    ([asm.atomic_xor(W, r10, r1)], "lock *(u32 *)(r10 + 0) ^= w1"),
    ([asm.xchg(DW, r10, r1, -8)], "r1 = xchg_64(r10 - 8, r1)"),
    ([asm.cmpxchg(W, r10, r1, -8)], "w0 = cmpxchg32_32(r10 - 8, w0, w1)"),
    ([asm.load_acquire(DW, r0, r1, 8)], "r0 = load_acquire((u64 *)(r1 + 8))"),
    ([asm.store_release(B, r1, r2, 8)], "store_release((u8 *)(r1 + 8), w2)"),
    ([asm.ja(3)], "goto +3"),
    ([asm.gotol(-70000)], "gotol -70000"),
    ([asm.may_goto(3)], "may_goto +3"),
    ([asm.gotox(r3)], "gotox r3"),
    ([asm.exit_()], "exit"),
    ([asm.call(-1)], "call -1"),
    ([asm.call("map_lookup_elem")], "call 1"),
    ([asm.call("bpf_map_lookup_elem")], "call 1"),
    ([asm.call_sub(-2)], "call pc-2"),
    ([asm.ldx(B, r1, r6)], "r1 = *(u8 *)(r6 + 0)"),
    ([asm.ldxs(B, r1, r6)], "r1 = *(s8 *)(r6 + 0)"),
    ([asm.stx(H, r10, r1)], "*(u16 *)(r10 + 0) = w1"),
    ([asm.ld_ind(W, r7)], "r0 = *(u32 *)skb[r7]"),
    ([asm.ld_ind(W, r7, -1)], "r0 = *(u32 *)skb[r7 - 1]"),
    ([asm.load_acquire(W, r0, r1)], "w0 = load_acquire((u32 *)(r1 + 0))"),
    ([asm.store_release(DW, r1, r2)], "store_release((u64 *)(r1 + 0), r2)"),
    ([asm.ld_map_value(r1, 3)], "r1 = map[fd:3][0]+0"),
    ([asm.call_kfunc(1234)], "call kfunc[id:1234]"),
    ([asm.call_kfunc(1234, 2)], "call kfunc[id:1234, btf:2]"),
    ([asm.callx(r3)], "callx r3"),
    ([asm.ld_imm64(r1, 0x1122334455667788)], "r1 = 0x1122334455667788 ll"),
    ([asm.ld_imm64(r1, -1)], "r1 = 0xffffffffffffffff ll"),
    ([asm.ld_map(r1, 3)], "r1 = map[fd:3]"),
    ([asm.ld_map_value(r1, 3, 16)], "r1 = map[fd:3][0]+16"),
    ([asm.ld_map_index(r1, 0)], "r1 = map[idx:0]"),
    ([asm.ld_map_index_value(r1, 2, 4)], "r1 = map[idx:2][0]+4"),
    ([asm.ld_func(r2, 4)], "r2 = subprog[+4]"),
    ([asm.ld_btf_id(r2, 77)], "r2 = btf[id:77]"),
    ([asm.ld_btf_id(r2, 77, 5)], "r2 = btf[id:77, fd:5]"),
]


def assert_same(items: Items, text: str) -> None:
    assert assemble(items, check=False).insns == assemble(text, check=False).insns


@pytest.mark.parametrize("name", BINARY)
def test_arithmetic_takes_a_register_or_a_number_in_either_width(name: str) -> None:
    symbol, narrow = BINARY[name], f"{name.rstrip('_')}32"
    wide_form: Callable[..., Any] = getattr(asm, name)
    narrow_form: Callable[..., Any] = getattr(asm, narrow)
    assert_same([wide_form(r1, r2), wide_form(r1, 7)], f"r1 {symbol} r2\nr1 {symbol} 7")
    assert_same([narrow_form(r1, r2), narrow_form(r1, 7)], f"w1 {symbol} w2\nw1 {symbol} 7")


@pytest.mark.parametrize("name", JUMPS)
def test_comparisons_take_a_register_or_a_number_in_either_width(name: str) -> None:
    wide, narrow = getattr(asm, name), getattr(asm, f"{name}32")
    text = f"if {{0}}1 {JUMPS[name]} {{0}}2 goto +3\nif {{0}}1 {JUMPS[name]} -7 goto -3"
    assert_same([wide(r1, r2, 3), wide(r1, -7, -3)], text.format("r"))
    assert_same([narrow(r1, r2, 3), narrow(r1, -7, -3)], text.format("w"))


@pytest.mark.parametrize("name", SWAPS)
def test_swaps_work_on_one_register(name: str) -> None:
    assert_same([getattr(asm, name)(r3)], f"r3 = {name} r3")


@pytest.mark.parametrize("name", FETCHES)
def test_fetching_atomics_bring_the_old_value_back(name: str) -> None:
    form = getattr(asm, name)
    assert_same([form(DW, r10, r1, -8)], f"r1 = {name}((u64 *)(r10 - 8), r1)")
    assert_same([form(W, r10, r1, -8)], f"w1 = {name}((u32 *)(r10 - 8), w1)")


@pytest.mark.parametrize(("items", "text"), OTHERS)
def test_function_makes_the_instruction_that_its_text_says(items: Items, text: str) -> None:
    assert_same(items, text)
    assert disassemble(assemble(items, check=False).insns, helpers=False) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: asm.mov(cast("Any", 3), r1), r"mov\(3, r1\): dst is 3, but must be a register, r0 to r10"),
        (lambda: asm.mov(r1, cast("Any", "x")), r"mov\(r1, 'x'\): the immediate is 'x', but must be a whole number"),
        (lambda: asm.mov(r1, operand=True), "the immediate is True, but must be a whole number"),
        (lambda: asm.mov(r1, 1 << 31), "2147483648 is not between -2147483648 and 2147483647: load it with ld_imm64"),
        (lambda: asm.mov32(r1, 1 << 32), "4294967296 is not between -2147483648 and 4294967295"),
        (lambda: asm.lsh(r1, 64), r"lsh\(r1, 64\): a shift of 64 bits goes from 0 to 63"),
        (lambda: asm.rsh32(r1, 32), "a shift of 32 bits goes from 0 to 31"),
        (lambda: asm.sdiv(r1, 0), "a division by the immediate 0"),
        (
            lambda: asm.ldx(W, r1, r2, 0x8000),
            r"ldx\(W, r1, r2, 32768\): the offset 32768 is not between -32768 and 32767",
        ),
        (lambda: asm.ldx(cast("Any", 4), r1, r2), "the size is 4, but must be one of B, H, W, DW"),
        (lambda: asm.ldxs(DW, r1, r2), "must be one of B, H, W"),
        (lambda: asm.ld_abs(DW, 0), r"ld_abs\(DW, 0\): the size is DW, but must be one of B, H, W"),
        (lambda: asm.atomic_add(H, r1, r2), "must be one of W, DW"),
        (lambda: asm.st(B, r10, -1, 256), r"st\(B, r10, -1, 256\): the immediate 256 is not between -128 and 255"),
        (lambda: asm.st(H, r10, -2, -32769), "is not between -32768 and 65535"),
        (lambda: asm.st(DW, r10, -8, 1 << 31), "is not between -2147483648 and 2147483647"),
        (lambda: asm.jeq(r1, 5, 40000), r"jeq\(r1, 5, 40000\): the target 40000 is not between"),
        (lambda: asm.jeq(r1, 1 << 31, "x"), "the immediate 2147483648 is not between"),
        (lambda: asm.ld_imm64(r1, 1 << 64), "the immediate 18446744073709551616 is not between"),
        (lambda: asm.ld_map(r1, -1), "the fd -1 is not between 0 and 4294967295"),
        (lambda: asm.Reg(11), "there is no register 11: BPF has r0 to r10"),
        (lambda: asm.label(""), "at least one character"),
        (lambda: asm.data("x", b"", align=3), "an alignment of 3 bytes is no power of two"),
    ],
)
def test_an_operand_that_does_not_fit_is_refused_and_shown(make: Callable[[], object], message: str) -> None:
    with pytest.raises(AssemblyError, match=message):
        make()


def test_an_unknown_helper_is_refused_with_names_that_are_near() -> None:
    with pytest.raises(UnknownHelperError, match="map_lookup_elem"):
        asm.call("map_lookup_elm")


def test_registers_are_named_by_their_numbers() -> None:
    assert [getattr(asm, f"r{number}") for number in range(11)] == [asm.Reg(number) for number in range(11)]


def test_registers_are_no_numbers() -> None:
    with pytest.raises(TypeError):
        r1 + 1  # type: ignore[operator]  # the mistake under test
