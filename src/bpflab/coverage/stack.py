"""How deep the functions of a program use their stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import STACK_SIZE, AluOp, InsnClass, Source
from bpflab.sim.engine.operands import base_register

if TYPE_CHECKING:
    from bpflab.coverage.flow import Flow

WORD: Final = 8
_DEPTHS: Final = re.compile(r"^stack depth ([0-9]+(?:\+[0-9]+)*)", re.MULTILINE)
_ADD: Final = InsnClass.ALU64 | AluOp.ADD | Source.K


def depths_in_log(log: str) -> tuple[int, ...]:
    """Read what the verifier says of each function's stack, in the order of the functions; empty without it.

    The line is written for log level 4 (BPF_LOG_STATS; kernel/bpf/verifier.c, print_verification_stats).
    """
    found = _DEPTHS.search(log)
    return tuple(int(each) for each in found[1].split("+")) if found else ()


def depths_by_form(flow: Flow) -> tuple[int, ...]:
    """Bound each function's use from above: the lowest place added to a pointer, and the lowest read or written."""
    return tuple(_depth(flow, slots) for _, slots in flow.function_slots())


def _depth(flow: Flow, slots: tuple[int, ...]) -> int:
    insns = [flow.insns[slot] for slot in slots]
    added = [-insn.imm for insn in insns if insn.opcode == _ADD and -STACK_SIZE <= insn.imm < 0]
    offsets = [-insn.off for insn in insns if base_register(insn) is not None and insn.off < 0]
    return min(max(added, default=0) + max(offsets, default=0), STACK_SIZE)


def free_place(depth: int) -> int | None:
    """Return the offset from r10 of eight free bytes under a used depth; None when the stack is full."""
    place = -(depth + -depth % WORD + WORD)
    return place if place >= -STACK_SIZE else None
