"""Counting in maps: look a key up, and add to its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.asm.alu import add, mov
from bpflab.asm.atomic import atomic_add
from bpflab.asm.calls import call
from bpflab.asm.jump import jeq
from bpflab.asm.memory import ldx, st, stx
from bpflab.asm.operand import DW, Reg, W, r0, r1, r2, r10
from bpflab.asm.wide import ld_map
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from bpflab.abi.insn import Size
    from bpflab.asm.item import Item

_CLOBBERED = range(6)


def count(
    map_: str | int,
    key: int | Reg,
    by: int | Reg = 1,
    *,
    per_cpu: bool = False,
    key_size: Size = W,
    value_size: Size = DW,
    slot: int = -8,
) -> list[Item]:
    """Add `by` to the value of a key, atomically, or without a lock in a per-CPU map.

    `map_` is a name or an fd. The key, of `key_size`, is put on the stack at r10 + `slot`; the counter
    is the first `value_size` (W or DW) of the value. Nothing happens if the map lacks the key. Clobbers
    r0 to r5, so that registers given as `key` and `by` are read before (`key`) or must be r6 to r9 (`by`).
    """
    if isinstance(by, Reg) and by.number in _CLOBBERED:
        raise AssemblyError(f"count(by={by}): the call of map_lookup_elem clobbers {by}; give one of r6 to r9")
    adding = _add_own(by, value_size) if per_cpu else _add_shared(by, value_size)
    address = ld_map(r1, map_)
    return [
        stx(key_size, r10, key, slot) if isinstance(key, Reg) else st(key_size, r10, slot, key),
        mov(r2, r10),
        add(r2, slot),
        *(address if isinstance(address, tuple) else (address,)),
        call("map_lookup_elem"),
        jeq(r0, 0, len(adding)),
        *adding,
    ]


def _add_shared(by: int | Reg, size: Size) -> list[Item]:
    return [mov(r1, by), atomic_add(size, r0, r1, 0)]


def _add_own(by: int | Reg, size: Size) -> list[Item]:
    return [ldx(size, r1, r0, 0), add(r1, by), stx(size, r0, r1, 0)]
