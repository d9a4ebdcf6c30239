"""The public names of `bpflab.asm`, all at once: what it gives on first use."""

# Names to look over, not a column of two hundred lines.
# isort: skip_file
# fmt: off
from __future__ import annotations

from bpflab.abi.layout import ByteOrder
from bpflab.asm.alu import (
    add, add32, addr_space_cast, and32, and_, arsh, arsh32, be16, be32, be64, bswap16, bswap32, bswap64, div, div32,
    le16, le32, le64, lsh, lsh32, mod, mod32, mov, mov32, mov32s8, mov32s16, movs8, movs16, movs32, mul, mul32, neg,
    neg32, or32, or_, rsh, rsh32, sdiv, sdiv32, smod, smod32, sub, sub32, xor, xor32,
)
from bpflab.asm.assembled import Assembled, KfuncRef, MapRef
from bpflab.asm.assembler import assemble
from bpflab.asm.atomic import (
    atomic_add, atomic_and, atomic_fetch_add, atomic_fetch_and, atomic_fetch_or, atomic_fetch_xor, atomic_or,
    atomic_xor, cmpxchg, load_acquire, store_release, xchg,
)
from bpflab.asm.calls import call, call_kfunc, call_sub, callx
from bpflab.asm.disassembler import disassemble, text_at
from bpflab.asm.insn import Insn, decode, encode
from bpflab.asm.item import Data, Item, Items, Label, Pending, data, label
from bpflab.asm.jump import (
    exit_, gotol, gotox, ja, jeq, jeq32, jge, jge32, jgt, jgt32, jle, jle32, jlt, jlt32, jne, jne32, jset, jset32,
    jsge, jsge32, jsgt, jsgt32, jsle, jsle32, jslt, jslt32, may_goto,
)
from bpflab.asm.memory import ld_abs, ld_ind, ldx, ldxs, st, stx
from bpflab.asm.operand import DW, B, H, Reg, W, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10
from bpflab.asm.text.names import Names
from bpflab.asm.wide import (
    ld_btf_id, ld_data, ld_func, ld_imm64, ld_map, ld_map_index, ld_map_index_value, ld_map_value,
)

__all__ = [
    "DW", "Assembled", "B", "ByteOrder", "Data", "H", "Insn", "Item", "Items", "KfuncRef", "Label", "MapRef",
    "Names", "Pending", "Reg", "W", "add", "add32", "addr_space_cast", "and32", "and_", "arsh", "arsh32",
    "assemble", "atomic_add", "atomic_and", "atomic_fetch_add", "atomic_fetch_and", "atomic_fetch_or",
    "atomic_fetch_xor", "atomic_or", "atomic_xor", "be16", "be32", "be64", "bswap16", "bswap32", "bswap64", "call",
    "call_kfunc", "call_sub", "callx", "cmpxchg", "data", "decode", "disassemble", "div", "div32", "encode",
    "exit_", "gotol", "gotox", "ja", "jeq", "jeq32", "jge", "jge32", "jgt", "jgt32", "jle", "jle32", "jlt", "jlt32",
    "jne", "jne32", "jset", "jset32", "jsge", "jsge32", "jsgt", "jsgt32", "jsle", "jsle32", "jslt", "jslt32",
    "label", "ld_abs", "ld_btf_id", "ld_data", "ld_func", "ld_imm64", "ld_ind", "ld_map", "ld_map_index",
    "ld_map_index_value", "ld_map_value", "ldx", "ldxs", "le16", "le32", "le64", "load_acquire", "lsh", "lsh32",
    "may_goto", "mod", "mod32", "mov", "mov32", "mov32s8", "mov32s16", "movs8", "movs16", "movs32", "mul", "mul32",
    "neg", "neg32", "or32", "or_", "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "rsh",
    "rsh32", "sdiv", "sdiv32", "smod", "smod32", "st", "store_release", "stx", "sub", "sub32", "text_at", "xchg",
    "xor", "xor32",
]
