"""Context accesses put where the simulated context keeps its fields, as the kernel does at load.

After this no engine needs to know what the context of a program type looks like. An instruction
becomes exactly one instruction, so slots, line info and traces stay as they were.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import SIZE_MASK, Size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpflab.asm.insn import Insn
    from bpflab.sim.check.subject import CtxField

_BY_WIDTH: Final = {size.width: size for size in Size}


def rewrite(insns: Sequence[Insn], context: Mapping[int, CtxField]) -> tuple[Insn, ...]:
    """Give the instructions with the offset and size of each context access replaced."""
    return tuple(_moved(insn, context[slot]) if slot in context else insn for slot, insn in enumerate(insns))


def _moved(insn: Insn, place: CtxField) -> Insn:
    return replace(insn, opcode=insn.opcode & ~SIZE_MASK | _BY_WIDTH[place.size], off=place.offset)
