"""Resilient spin locks: taking one may fail, and several may be held (process_spin_lock in kernel/bpf/verifier.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.check.frames import forget_arguments
from bpflab.sim.check.sections import irq_restore, irq_save
from bpflab.sim.check.state import Lock
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import Value, constant

if TYPE_CHECKING:
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State

NAME: Final = "bpf_res_spin"
ANSWERS: Final = (-Errno.EDEADLK, -Errno.ETIMEDOUT)
"""What r0 may be without the lock. Each is followed by itself: a number that is known decides every comparison."""


def lock(checker: Checker, state: State) -> None:
    """Take a lock; on other paths it could not be had."""
    _fail(checker, state)
    _take(checker, state, irq=False)


def lock_irqsave(checker: Checker, state: State) -> None:
    """Take a lock, save the state of interrupts on the stack, and disable them."""
    _fail(checker, state)
    _take(checker, state, irq=True)
    irq_save(checker, state, 2)


def unlock(checker: Checker, state: State) -> None:
    """Give back the lock that was taken last."""
    _give_back(checker, state, irq=False)


def unlock_irqrestore(checker: Checker, state: State) -> None:
    """Give it back, and restore the state of interrupts."""
    _give_back(checker, state, irq=True)
    irq_restore(checker, state, 2)


def taken(_checker: Checker, _state: State) -> Value:
    """Give what r0 is on the path that has the lock."""
    return constant(0)


def _fail(checker: Checker, state: State) -> None:
    for answer in ANSWERS:
        other = state.fork(state.pc + 1)
        forget_arguments(other)
        other.regs[0] = constant(answer)
        checker.waiting.append(other)


def _take(checker: Checker, state: State, *, irq: bool) -> None:
    owner = _owner(checker, state)
    if owner != (0, 0) and any(each.resilient and each.owner == owner for each in state.held.locks):
        checker.refuse("Acquiring the same lock again, AA deadlock detected", Errno.EINVAL)
    state.held = state.held._replace(locks=(*state.held.locks, Lock(owner, resilient=True, irq=irq)))


def _give_back(checker: Checker, state: State, *, irq: bool) -> None:
    wanted, locks = Lock(_owner(checker, state), resilient=True, irq=irq), state.held.locks
    if not locks:
        checker.refuse(f"{NAME}_unlock without taking a lock", Errno.EINVAL)
    if not any(_may_be(each, wanted) for each in locks):
        checker.refuse(f"{NAME}_unlock of different lock", Errno.EINVAL)
    if not _may_be(locks[-1], wanted):
        checker.refuse(f"{NAME}_unlock cannot be out of order", Errno.EINVAL)
    state.unlock()


def _may_be(one: Lock, other: Lock) -> bool:
    return one[1:] == other[1:] and (one.owner == other.owner or (0, 0) in {one.owner, other.owner})


def _owner(checker: Checker, state: State) -> tuple[int, int]:
    """Tell whose lock r1 points to; it must be the lock of a map's value, or lie in an object of the program's own."""
    value = state.regs[1]
    if value.kind is Kind.ANY:
        return (0, 0)
    if value.kind is Kind.BTF and value.btf < 0:
        return (value.reference or value.id, value.btf)
    if value.kind is not Kind.MAP_VALUE or value.map is None or value.nullable:
        checker.refuse("arg#0 doesn't point to map value or allocated object", Errno.EINVAL)
    if value.varies:
        text = f"R1 doesn't have constant offset. {NAME}_lock has to be at the constant offset"
        checker.refuse(text, Errno.EINVAL)
    place = value.map.res_lock
    if place is None:
        checker.refuse(f"map '{value.map.name}' has no valid {NAME}_lock", Errno.EINVAL)
    if value.off != place:
        text = f"off {value.off} doesn't point to 'struct {NAME}_lock' that is at {place}"
        checker.refuse(text, Errno.EINVAL)
    return (value.id, value.map.id)
