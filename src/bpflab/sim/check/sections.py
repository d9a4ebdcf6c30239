"""Sections that a program enters and must leave: locks, RCU, preemption, interrupts (check_kfunc_call, check_lock)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.kfuncs import KfuncFlag
from bpflab.sim.check.memory import check_memory
from bpflab.sim.check.state import Lock, Spill
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import Value

if TYPE_CHECKING:
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import Frame, State
    from bpflab.sim.check.subject import KfuncFacts

WORD: Final = 8
SLEEPING_CALLBACK: Final = "bpf_wq_set_callback_impl"
UNDER_LOCK: Final = frozenset(
    {
        *("bpf_list_push_front_impl", "bpf_list_push_back_impl", "bpf_list_pop_front", "bpf_list_pop_back"),
        *("bpf_list_front", "bpf_list_back", "bpf_rbtree_add_impl", "bpf_rbtree_remove", "bpf_rbtree_first"),
        *("bpf_rbtree_root", "bpf_rbtree_left", "bpf_rbtree_right", "bpf_refcount_acquire_impl"),
        *("bpf_iter_num_new", "bpf_iter_num_next", "bpf_iter_num_destroy"),
        *("bpf_res_spin_lock", "bpf_res_spin_unlock", "bpf_res_spin_lock_irqsave", "bpf_res_spin_unlock_irqrestore"),
    }
)
"""Kernel functions that may be called while a spin lock is held (kfunc_spin_allowed)."""


def may_sleep(checker: Checker, frame: Frame) -> bool:
    """Whether a function is the callback of a work queue, which may sleep whatever the program may."""
    facts = checker.subject.kfuncs.get(frame.site) if frame.callback else None
    return facts is not None and facts.name == SLEEPING_CALLBACK


def sleepable(checker: Checker, state: State) -> bool:
    """Whether what runs here may sleep."""
    return checker.subject.sleepable or any(may_sleep(checker, frame) for frame in state.frames)


def check_kfunc_here(checker: Checker, state: State, facts: KfuncFacts) -> None:
    """Refuse a kernel function that may not be called within the sections that the path is in."""
    held = state.held
    if held.lock and facts.name not in UNDER_LOCK:
        checker.refuse("function calls are not allowed while holding a lock", Errno.EINVAL)
    if facts.flags & KfuncFlag.SLEEPABLE:
        if not sleepable(checker, state):
            checker.refuse(f"program must be sleepable to call sleepable kfunc {facts.name}")
        if held.rcu:
            checker.refuse(f"kernel func {facts.name} is sleepable within rcu_read_lock region")
        if held.preempt:
            checker.refuse(f"kernel func {facts.name} is sleepable within non-preemptible region")
        if held.irqs:
            checker.refuse(f"kernel func {facts.name} is sleepable within IRQ-disabled region")
    if facts.flags & KfuncFlag.RCU_PROTECTED and checker.subject.sleepable and not (held.rcu or held.lock):
        checker.refuse(f"kernel func {facts.name} requires RCU critical section protection")


def check_helper_here(checker: Checker, state: State, name: str, *, sleeps: bool) -> None:
    """Refuse a helper that may not be called within the sections that the path is in."""
    held = state.held
    if held.lock and name not in {"spin_unlock", "spin_lock"}:
        checker.refuse("function calls are not allowed while holding a lock", Errno.EINVAL)
    where = "rcu_read_lock" if held.rcu else "non-preemptible" if held.preempt else "IRQ disabled" if held.irqs else ""
    if sleeps and where:
        checker.refuse(f"sleepable helper bpf_{name} in {where} region", Errno.EINVAL)


def spin_lock(checker: Checker, state: State) -> None:
    """Take a spin lock: one at a time."""
    if state.held.lock:
        checker.refuse("Locking two bpf_spin_locks are not allowed", Errno.EINVAL)
    state.held = state.held._replace(locks=(Lock(),))


def spin_unlock(checker: Checker, state: State) -> None:
    """Give the spin lock back, and with it the objects of lists and trees that it keeps."""
    if not state.held.lock:
        checker.refuse("bpf_spin_unlock without taking a lock", Errno.EINVAL)
    if state.held.locks[-1].resilient:
        checker.refuse("bpf_spin_unlock of different lock", Errno.EINVAL)
    state.unlock()


def check_left(checker: Checker, state: State, how: str) -> None:
    """Refuse the program's end within a section; `how` it ends, in the kernel's words."""
    held, start = state.held, f"{how} cannot be used inside"
    for entered, name in (
        (bool(held.irqs), "bpf_local_irq_save"),
        (bool(held.rcu), "bpf_rcu_read_lock"),
        (bool(held.preempt), "bpf_preempt_disable"),
    ):
        if entered:
            checker.refuse(f"{start} {name}-ed region", Errno.EINVAL)


def rcu_read_lock(checker: Checker, state: State) -> None:
    """Enter an RCU read section, which does not nest."""
    if state.held.rcu:
        checker.refuse("nested rcu read lock (kernel function bpf_rcu_read_lock)", Errno.EINVAL)
    state.held = state.held._replace(rcu=1)


def rcu_read_unlock(checker: Checker, state: State) -> None:
    """Leave an RCU read section."""
    if not state.held.rcu:
        checker.refuse("unmatched rcu read unlock (kernel function bpf_rcu_read_unlock)", Errno.EINVAL)
    state.held = state.held._replace(rcu=0)


def preempt_disable(_checker: Checker, state: State) -> None:
    """Enter a section without preemption; these nest."""
    state.held = state.held._replace(preempt=state.held.preempt + 1)


def preempt_enable(checker: Checker, state: State) -> None:
    """Leave a section without preemption."""
    if not state.held.preempt:
        text = "unmatched attempt to enable preemption (kernel function bpf_preempt_enable)"
        checker.refuse(text, Errno.EINVAL)
    state.held = state.held._replace(preempt=state.held.preempt - 1)


def irq_save(checker: Checker, state: State, reg: int = 1) -> None:
    """Save the state of interrupts on the stack, and disable them."""
    place = _irq_place(checker, state, reg)
    check_memory(checker, state, reg, place, WORD, write=True)
    number = checker.new_id()
    state.frames[place.frame].spills[place.off] = Spill(WORD, Value(Kind.IRQ_FLAG, id=number))
    state.held = state.held._replace(irqs=(*state.held.irqs, number))


def irq_restore(checker: Checker, state: State, reg: int = 1) -> None:
    """Restore the state of interrupts that was saved last."""
    place = _irq_place(checker, state, reg)
    spill = state.frames[place.frame].spills.get(place.off)
    if spill is None or spill.value.kind is not Kind.IRQ_FLAG:
        checker.refuse(f"expected an initialized irq flag as arg#{reg - 1}", Errno.EINVAL)
    if spill.value.id != state.held.irqs[-1:][0]:
        checker.refuse(f"cannot restore irq state out of order, expected id={state.held.irqs[-1]}")
    del state.frames[place.frame].spills[place.off]
    state.held = state.held._replace(irqs=state.held.irqs[:-1])


def _irq_place(checker: Checker, state: State, reg: int) -> Value:
    value = state.regs[reg]
    if value.kind is not Kind.STACK or value.varies:
        checker.refuse(f"arg#{reg - 1} doesn't point to an irq flag on stack", Errno.EINVAL)
    return value
