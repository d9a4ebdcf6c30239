"""How long the array of descriptors is that a program's instructions refer to, where PROG_LOAD does not say."""

from __future__ import annotations

import sys

from bpflab.abi.insn import CALL, INSN_SIZE, LD_IMM64, CallSource, WideSource


def referred_descriptors(insns: bytes) -> int:
    """Return how many descriptors of `fd_array` instructions refer to: the highest index, and one."""
    highest = -1
    for at in range(0, len(insns) - INSN_SIZE + 1, INSN_SIZE):
        source = insns[at + 1] >> 4 if sys.byteorder == "little" else insns[at + 1] & 15
        if insns[at] == LD_IMM64 and source in {WideSource.MAP_IDX, WideSource.MAP_IDX_VALUE}:
            highest = max(highest, int.from_bytes(insns[at + 4 : at + 8], sys.byteorder))
        elif insns[at] == CALL and source == CallSource.KFUNC:
            off = int.from_bytes(insns[at + 2 : at + 4], sys.byteorder)
            highest = max(highest, off or -1)
    return highest + 1
