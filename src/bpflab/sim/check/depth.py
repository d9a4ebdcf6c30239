"""How much stack chains of calls use together, and whether they may throw (check_max_stack_depth in verifier.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.insn import CALL, MAX_CALL_FRAMES, STACK_SIZE
from bpflab.abi.verifier_rules import STACK_UNIT, TAIL_CALL_STACK
from bpflab.sim.check.structure import called
from bpflab.sim.check.subject import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.sim.check.checker import Checker


def check_depths(checker: Checker) -> None:
    """Refuse a chain of calls that needs more than 512 bytes of stack, or 256 above a tail call, or may not throw."""
    entry = checker.subject.exception_callback
    for start in {0, entry}:
        _descend(checker, (start,))
    for slot, insn in enumerate(checker.subject.insns):
        if entry and insn.opcode == CALL and called(checker.subject.insns, slot) == entry:
            raise Refused(Errno.EINVAL, f"insn {slot} cannot call exception cb directly")


def _descend(checker: Checker, chain: Sequence[int]) -> None:
    total = sum(_rounded(checker.depths[start]) for start in chain)
    if len(chain) > MAX_CALL_FRAMES:
        raise Refused(Errno.E2BIG, f"the call stack of {len(chain)} frames is too deep !\n")
    if total > STACK_SIZE:
        raise Refused(Errno.EACCES, f"combined stack size of {len(chain)} calls is {total}. Too large\n")
    _check_throw(checker, chain)
    callers = total - _rounded(checker.depths[chain[-1]])
    if chain[-1] in checker.tail_callers and callers >= TAIL_CALL_STACK:
        text = f"tail_calls are not allowed when call stack of previous frames is {callers} bytes. Too large\n"
        raise Refused(Errno.EACCES, text)
    for target in sorted(checker.calls[chain[-1]]):
        _descend(checker, (*chain, target))


def _check_throw(checker: Checker, chain: Sequence[int]) -> None:
    slot, entry = checker.throwers.get(chain[-1]), checker.subject.exception_callback
    if slot is not None and any(start in checker.callbacks or (entry and start == entry) for start in chain):
        number = checker.structure.starts.index(chain[-1])
        text = f"bpf_throw kfunc (insn {slot}) cannot be called from callback subprog {number}\n"
        raise Refused(Errno.EINVAL, text)


def _rounded(depth: int) -> int:
    return (depth + STACK_UNIT - 1) // STACK_UNIT * STACK_UNIT
