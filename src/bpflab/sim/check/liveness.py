"""Which registers are still read after a slot: backwards over the program, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import CALL
from bpflab.sim.check.structure import successors
from bpflab.sim.engine.operands import reads, writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.asm.insn import Insn

_ARGUMENTS: Final = 0b11_1110
"""r1 to r5, which a call may read."""


def live_registers(insns: Sequence[Insn]) -> list[int]:
    """Give, by slot, a bit for each register whose content at that slot may still be read."""
    used = [_used(insn) for insn in insns]
    kept = [~_bits(writes(insn)) for insn in insns]
    after = [[slot for slot in successors(insns, at) if slot < len(insns)] for at in range(len(insns))]
    live = [0] * len(insns)
    changed = True
    while changed:
        changed = False
        for slot in range(len(insns) - 1, -1, -1):
            out = 0
            for follower in after[slot]:
                out |= live[follower]
            now = used[slot] | (out & kept[slot])
            changed |= now != live[slot]
            live[slot] = now
    return live


def _used(insn: Insn) -> int:
    return _ARGUMENTS if insn.opcode == CALL else _bits(reads(insn))


def _bits(registers: Sequence[int]) -> int:
    return sum(1 << reg for reg in set(registers))
