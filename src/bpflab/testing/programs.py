"""Programs drawn at random that a verifier accepts: to hold one kernel to another.

`random_program(seed)` gives an XDP program that computes with edge values on every width, jumps, loads and
stores on packet and stack, works on map values with atomics, and calls helpers, its own functions and
bounded loops. It ends by writing all it computed into the map `out`, so that a difference anywhere is seen.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bpflab import asm
from bpflab.asm import DW, B, H, W, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.abi.insn import Size
    from bpflab.asm import Item, Items, Reg

PACKET: Final = 64
"""Bytes of the packet that a drawn program may touch; give it a packet at least this long."""
STACK: Final = 64
ARRAY_ENTRIES: Final = 4
VALUE_SIZE: Final = 16
OUT_SIZE: Final = 8 * 8
SCALARS: Final = (r0, r2, r3, r4, r5, r9)
"""Registers that hold numbers; r1 is scratch, r6 the context, r7 and r8 the packet's start and end."""
EDGES: Final = (0, 1, -1, 2, 7, 31, 32, 63, 64, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, -0x80000000)
SMALL: Final = (0, 1, -1, 127, -128)
WIDE_EDGES: Final = (*EDGES, 1 << 31, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)

ALU: Final = ("add", "sub", "mul", "div", "mod", "or_", "and_", "xor", "mov", "sdiv", "smod")
ALU32: Final = ("add32", "sub32", "mul32", "div32", "mod32", "or32", "and32", "xor32", "mov32", "sdiv32", "smod32")
SHIFTS: Final = (("lsh", 64), ("rsh", 64), ("arsh", 64), ("lsh32", 32), ("rsh32", 32), ("arsh32", 32))
ONE_REGISTER: Final = ("neg", "neg32", "be16", "be32", "be64", "le16", "le32", "le64", "bswap16", "bswap32", "bswap64")
SIGN_MOVES: Final = ("movs8", "movs16", "movs32", "mov32s8", "mov32s16")
JUMPS: Final = ("jeq", "jne", "jgt", "jge", "jlt", "jle", "jset", "jsgt", "jsge", "jslt", "jsle")
ATOMICS: Final = (
    *("atomic_add", "atomic_or", "atomic_and", "atomic_xor"),
    *("atomic_fetch_add", "atomic_fetch_or", "atomic_fetch_and", "atomic_fetch_xor", "xchg", "cmpxchg"),
)
MAPS: Final = {
    "array": {"type": "ARRAY", "key": "u32", "value": VALUE_SIZE, "max_entries": ARRAY_ENTRIES},
    "hash": {"type": "HASH", "key": "u32", "value": VALUE_SIZE, "max_entries": 3},
    "out": {"type": "ARRAY", "key": "u32", "value": OUT_SIZE, "max_entries": 1},
}
"""The maps that a drawn program names, as keyword arguments of `Lab.map`."""


def random_program(seed: int, length: int = 30) -> Items:
    """Draw a program of about `length` steps; the same seed gives the same program."""
    return _Author(random.Random(seed)).program(length)


@dataclass
class _Author:
    """Writes one program."""

    random: random.Random
    labels: int = 0
    functions: list[Item] = field(default_factory=list)

    def program(self, length: int) -> list[Item]:
        body = [item for _ in range(length) for item in self.step()]
        return [*self._begin(), *body, *self._end(), *self.functions]

    def step(self) -> list[Item]:
        return self.pick(
            (self.arithmetic,) * 6 + (self.memory,) * 3 + (self.branch, self.value, self.call, self.loop)
        )()

    def pick(self, choices: tuple[Callable[[], list[Item]], ...]) -> Callable[[], list[Item]]:
        return self.random.choice(choices)

    def scalar(self) -> Reg:
        return self.random.choice(SCALARS)

    def label(self) -> str:
        self.labels += 1
        return f"l{self.labels}"

    def arithmetic(self) -> list[Item]:
        chosen, target = self.random.randrange(5), self.scalar()
        if chosen == 0:
            name, width = self.random.choice(SHIFTS)
            return [_op(name)(target, self.random.randrange(width))]
        if chosen == 1:
            return [_op(self.random.choice(ONE_REGISTER))(target)]
        if chosen == 2:
            return [_op(self.random.choice(SIGN_MOVES))(target, self.scalar())]
        if chosen == 3:
            return _many(asm.ld_imm64(target, self.random.choice(WIDE_EDGES) & (1 << 64) - 1))
        return [_op(self.random.choice(ALU + ALU32))(target, self.operand())]

    def operand(self) -> Reg | int:
        if self.random.random() < 0.5:
            return self.scalar()
        return self.random.choice([edge for edge in EDGES if edge]) or 1

    def memory(self) -> list[Item]:
        size = self.random.choice((B, H, W, DW))
        base, offset = self.random.choice(((r7, 0), (r10, -STACK)))
        at = offset + self.random.randrange((PACKET if base is r7 else STACK) // size.width) * size.width
        chosen = self.random.randrange(4 if base is r10 and size in {W, DW} else 3)
        if chosen == 0:
            return [asm.ldx(size, self.scalar(), base, at)]
        if chosen == 1 and size is not DW:
            return [asm.ldxs(size, self.scalar(), base, at)]
        if chosen == 3:
            return [self.atomic(base, at, size)]
        value = self.random.choice(SMALL if size in {B, H} else EDGES)
        return [self.random.choice((asm.stx(size, base, self.scalar(), at), asm.st(size, base, at, value)))]

    def atomic(self, base: Reg, at: int, size: Size) -> Item:
        return _op(self.random.choice(ATOMICS))(size, base, self.scalar(), at)

    def branch(self) -> list[Item]:
        name = self.random.choice(JUMPS) + self.random.choice(("", "32"))
        other, behind = self.label(), self.label()
        return [
            _op(name)(self.scalar(), self.operand(), other),
            *self.arithmetic(),
            asm.ja(behind),
            asm.label(other),
            *self.arithmetic(),
            *self.memory(),
            asm.label(behind),
        ]

    def value(self) -> list[Item]:
        """Look an element up and work on it; a hash is given an element first, sometimes."""
        name, missing = self.random.choice(("array", "hash")), self.label()
        first = self.update(name) if self.random.random() < 0.5 else []
        size = self.random.choice((W, DW))
        at = self.random.randrange(VALUE_SIZE // size.width) * size.width
        work = [asm.mov(r1, r0), *self.numbers(), asm.ldx(size, self.scalar(), r1, at), self.atomic(r1, at, size)]
        return [
            *first,
            *self.key(),
            *_many(asm.ld_map(r1, name)),
            asm.call("map_lookup_elem"),
            asm.jeq(r0, 0, missing),
            *work,
            asm.label(missing),
            *self.numbers(),
        ]

    def update(self, name: str) -> list[Item]:
        flags = self.random.choice((0, 0, 1, 2, 3))
        arguments = [asm.mov(r3, r10), asm.add(r3, -STACK), asm.mov(r4, flags)]
        return [*self.key(), *arguments, *_many(asm.ld_map(r1, name)), asm.call("map_update_elem"), *self.kept()]

    def key(self) -> list[Item]:
        index = self.random.randrange(ARRAY_ENTRIES + 1)
        return [asm.st(W, r10, -STACK - 8, index), asm.mov(r2, r10), asm.add(r2, -STACK - 8)]

    def call(self) -> list[Item]:
        return self.pick((self.function, self.csum, self.copy, self.delete))()

    def function(self) -> list[Item]:
        name, keep = f"f{len(self.functions)}", self.random.choice(ALU + ALU32)
        body = [_op(keep)(r2, r3), asm.mov(r0, r2), _op(self.random.choice(ALU))(r0, r4), asm.exit_()]
        self.functions += [asm.label(name), *body]
        return [asm.mov(r1, 0), asm.call_sub(name), *self.kept()]

    def csum(self) -> list[Item]:
        pieces = [asm.mov(r1, r10), asm.add(r1, -STACK), asm.mov(r2, self.random.choice((0, 4, 32)))]
        pieces += [asm.mov(r3, r10), asm.add(r3, -32), asm.mov(r4, self.random.choice((0, 8, 32)))]
        return [*pieces, asm.mov(r5, self.random.choice(EDGES)), asm.call("csum_diff"), *self.kept()]

    def copy(self) -> list[Item]:
        helper = self.random.choice(("xdp_load_bytes", "xdp_store_bytes"))
        where = [asm.mov(r1, r6), asm.mov(r2, self.random.choice((0, 1, PACKET - 8, PACKET, 5000)))]
        size = self.random.choice((1, 8, 32))
        return [*where, asm.mov(r3, r10), asm.add(r3, -STACK), asm.mov(r4, size), asm.call(helper), *self.kept()]

    def delete(self) -> list[Item]:
        return [*self.key(), *_many(asm.ld_map(r1, "hash")), asm.call("map_delete_elem"), *self.kept()]

    def loop(self) -> list[Item]:
        """Repeat arithmetic a few times; the counter is on the stack, out of the body's reach."""
        again, counter = self.label(), -STACK - 16
        body = [item for _ in range(2) for item in self.arithmetic()]
        turn = [asm.ldx(DW, r1, r10, counter), asm.add(r1, -1), asm.stx(DW, r10, r1, counter)]
        count = asm.st(DW, r10, counter, self.random.randint(1, 5))
        return [count, asm.label(again), *body, *turn, asm.jsgt(r1, 0, again)]

    def kept(self) -> list[Item]:
        """Keep what a call returned in r9, and give the registers it clobbered numbers again."""
        return [asm.xor(r9, r0), *self.numbers()]

    def numbers(self) -> list[Item]:
        return [asm.mov(reg, self.random.choice(EDGES)) for reg in SCALARS if reg is not r9]

    def _begin(self) -> list[Item]:
        bounds = [asm.mov(r6, r1), asm.ldx(W, r7, r6, 0), asm.ldx(W, r8, r6, 4), asm.mov(r2, r7), asm.add(r2, PACKET)]
        leave = [asm.jle(r2, r8, "enough"), asm.mov(r0, 0), asm.exit_(), asm.label("enough")]
        stack = [asm.st(DW, r10, -at, self.random.choice(EDGES)) for at in range(8, STACK + 1, 8)]
        return [*bounds, *leave, *stack, asm.mov(r9, self.random.choice(EDGES)), *self.numbers()]

    def _end(self) -> list[Item]:
        stores = [asm.stx(DW, r1, reg, 8 * index) for index, reg in enumerate(SCALARS)]
        return [*_many(asm.ld_map_value(r1, "out", 0)), *stores, asm.and_(r0, 0xFF), asm.exit_()]


def _op(name: str) -> Callable[..., Item]:
    function: Callable[..., Item] = getattr(asm, name)
    return function


def _many(items: Items | Item) -> list[Item]:
    from bpflab.asm.assembler import flatten

    return list(flatten(items))
