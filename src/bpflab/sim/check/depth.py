"""How much stack chains of calls use together (check_max_stack_depth in kernel/bpf/verifier.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.insn import MAX_CALL_FRAMES, STACK_SIZE
from bpflab.abi.verifier_rules import STACK_UNIT, TAIL_CALL_STACK
from bpflab.sim.check.subject import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.sim.check.checker import Checker


def check_depths(checker: Checker) -> None:
    """Refuse a chain of calls that needs more than 512 bytes of stack, or 256 above a tail call."""
    _descend(checker, (0,))


def _descend(checker: Checker, chain: Sequence[int]) -> None:
    total = sum(_rounded(checker.depths[start]) for start in chain)
    if len(chain) > MAX_CALL_FRAMES:
        raise Refused(Errno.E2BIG, f"the call stack of {len(chain)} frames is too deep !\n")
    if total > STACK_SIZE:
        raise Refused(Errno.EACCES, f"combined stack size of {len(chain)} calls is {total}. Too large\n")
    callers = total - _rounded(checker.depths[chain[-1]])
    if chain[-1] in checker.tail_callers and callers >= TAIL_CALL_STACK:
        text = f"tail_calls are not allowed when call stack of previous frames is {callers} bytes. Too large\n"
        raise Refused(Errno.EACCES, text)
    for target in sorted(checker.calls[chain[-1]]):
        _descend(checker, (*chain, target))


def _rounded(depth: int) -> int:
    return (depth + STACK_UNIT - 1) // STACK_UNIT * STACK_UNIT
