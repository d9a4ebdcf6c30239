"""The same text gives the same bytes here and in clang."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from elftools.elf.elffile import ELFFile

from bpflab.abi.insn import CALL, LD_IMM64, CallSource
from bpflab.asm import Insn, assemble, decode, disassemble

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bpflab.asm import ByteOrder

pytest.importorskip("ziglang", reason="clang for BPF comes with the extra `clang`")

TARGETS: dict[ByteOrder, str] = {"little": "bpfel-freestanding", "big": "bpfeb-freestanding"}
REGS = [0, 1, 9, 10]
OFFS = [0, 4, -8, 32767, -32768]
IMMS = [0, 7, -1, 2147483647, -2147483648]

NOT_IN_LLVM = [".insn", "call pc", "kfunc[", "gotol +2147483647", "gotol -2147483648"]
NOT_IN_LLVM += [f"skb[r{reg} {sign}" for reg in REGS for sign in "+-"]

SOURCE = """
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
typedef signed char s8; typedef short s16; typedef int s32; typedef long long s64;
static void *(*lookup)(void *, const void *) = (void *)1;
static long (*trace)(const char *, u32, ...) = (void *)6;
extern int counts;
static const char text[] = "a \\"text\\"\\t\\001";
static const u16 table[] = {1, 2, 65535};
static u64 state = 5;
struct context { u32 kind; u32 length; s64 number; s8 tiny; s16 small; s32 plain; u8 bytes[8]; u16 half; };

__attribute__((noinline)) static u64 sum(u64 last)
{
    u64 total = 0;
    for (u64 at = 0; at < last; at++)
        total += *(volatile u64 *)at ^ (at << 3);
    return total;
}

__attribute__((noinline)) static u32 narrow(u32 a, u32 b)
{
    u32 c = a * b + (a >> 3) - (b << 2);
    return (c % 7) ^ (b / (a | 1)) ^ (u32)((s32)c >> 5);
}

u64 program(struct context *c)
{
    if (c->kind == 5)
        return narrow(c->kind, c->length);
    if (c->number < -3)
        return sum(c->length);
    if ((s32)c->kind > 100 && (c->length & 8))
        __sync_fetch_and_add(&c->number, 3);
    trace(text, sizeof(text), c->kind);
    u32 key = __builtin_bswap32(c->length);
    u64 *value = lookup(&counts, &key);
    if (!value)
        return state + table[c->kind & 1];
    *value += c->tiny + c->small + c->plain + __builtin_bswap16(c->half) + __builtin_bswap64(*value);
    c->bytes[3] = 77;
    c->number = -5;
    state = 0x123456789abcdefULL;
    return c->number / 3 + (s64)c->kind * -7 + state;
}
"""


def clang(directory: Path, source: str, suffix: str, byteorder: ByteOrder, *options: str) -> Path:
    given, made = directory / f"given.{suffix}", directory / ("made.s" if "-S" in options else "made.o")
    given.write_text(source)
    kind = [] if "-S" in options else ["-c"]
    command = [sys.executable, "-m", "ziglang", "cc", "-target", TARGETS[byteorder], *options, *kind]
    subprocess.run([*command, str(given), "-o", str(made)], check=True, capture_output=True, text=True)
    return made


def section(path: Path, name: str = ".text") -> bytes:
    with path.open("rb") as file:
        found = ELFFile(file).get_section_by_name(name)
        return bytes(found.data())


def addresses(path: Path, byteorder: ByteOrder) -> dict[int, tuple[str, int]]:
    """Return what each relocated wide load of .text refers to: a section and offset, or a symbol and 0."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        symbols, insns = elf.get_section_by_name(".symtab"), decode(section(path), byteorder)
        found = {}
        for relocation in elf.get_section_by_name(".rel.text").iter_relocations():
            slot, symbol = relocation["r_offset"] // 8, symbols.get_symbol(relocation["r_info_sym"])
            place = symbol["st_shndx"]
            name = elf.get_section(place).name if isinstance(place, int) else symbol.name
            if insns[slot].opcode == LD_IMM64:
                found[slot] = (name, insns[slot].imm + symbol["st_value"] * isinstance(place, int))
        return found


def cleared(insns: Sequence[Insn], wide: Collection[int]) -> list[Insn]:
    """Clear what a linker fills in: the addresses at these slots, and calls inside the program."""
    result = list(insns)
    for slot, insn in enumerate(insns):
        if slot in wide:
            result[slot], result[slot + 1] = Insn(LD_IMM64, insn.dst), Insn(0)
        elif insn.opcode == CALL and insn.src == CallSource.SUBPROG:
            result[slot] = Insn(CALL, src=insn.src)
    return result


@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_what_clang_compiles_to_text_assembles_to_what_it_compiles_to_bytes(
    cpu: str, byteorder: ByteOrder, tmp_path: Path
) -> None:
    options = ("-O2", f"-mcpu={cpu}", "-fno-common")
    text = clang(tmp_path, SOURCE, "c", byteorder, *options, "-S").read_text()
    made = clang(tmp_path, SOURCE, "c", byteorder, *options)
    assembled, referred = assemble(text, byteorder=byteorder), addresses(made, byteorder)
    assert cleared(assembled.insns, referred) == cleared(decode(section(made), byteorder), referred)
    assert {ref.insn: (ref.name, ref.offset) for ref in assembled.map_refs} == referred
    assert assembled.data[".rodata"] == section(made, ".rodata")


def canonical_lines() -> list[str]:
    """Write every operation of every class, with fields at their ends, as the disassembler writes them."""
    opcodes = range(256)
    lines = []
    for opcode, dst, src in product(opcodes, REGS, REGS):
        for off, imm in {(off, 0) for off in OFFS} | {(0, imm) for imm in IMMS} | {(-8, -1)} | special_fields(opcode):
            line = disassemble([Insn(opcode, dst, src, off, imm)], helpers=False)
            if not any(words in line for words in NOT_IN_LLVM):
                lines.append(line)
    return sorted(set(lines))


def special_fields(opcode: int) -> set[tuple[int, int]]:
    if opcode & 7 == 3:
        return {(-8, imm) for imm in (1, 0x40, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1, 0x100, 0x110)}
    return {(0, 16), (0, 32), (0, 64), (8, 0), (16, 0), (32, 0), (1, 0), (1, 7), (1, 0x10000)}


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_clang_reads_what_the_disassembler_writes_as_the_same_bytes(byteorder: ByteOrder, tmp_path: Path) -> None:
    wide = [f"r{reg} = {value} ll" for reg in REGS for value in ("0x0", "0x7fffffff", "0xffffffffffffffff")]
    lines = canonical_lines() + wide
    made = clang(tmp_path, "\n".join(lines) + "\n", "s", byteorder, "-mcpu=v4")
    ours = assemble("\n".join(lines), byteorder=byteorder, check=False)
    differing = [
        (ours_insn, theirs)
        for ours_insn, theirs in zip(ours.insns, decode(section(made), byteorder), strict=True)
        if ours_insn != theirs
    ]
    assert differing == []
    assert len(lines) > 2000


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_labels_reach_the_same_slots_as_in_clang(byteorder: ByteOrder, tmp_path: Path) -> None:
    text = """
    start: if r1 == 5 goto done
    r2 = 0x1122334455667788 ll
    again: if w1 s> w2 goto start
    if r1 & 4 goto again
    gotol done
    may_goto again
    goto start
    done: exit
    """
    made = clang(tmp_path, text, "s", byteorder, "-mcpu=v4")
    assert assemble(text, byteorder=byteorder).code == section(made)


def test_pseudo_loads_are_read_as_llvm_writes_them(tmp_path: Path) -> None:
    text = "ld_pseudo r1, 1, 5\nld_pseudo r2, 2, 7\nld_pseudo r3, 4, 9\nld_pseudo r4, 0, 9\n"
    code = section(clang(tmp_path, text, "s", "little", "-mcpu=v3"))
    assert assemble(text, byteorder="little").code == code
