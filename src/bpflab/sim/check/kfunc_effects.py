"""Kernel functions whose calls mean more than their prototypes say: what they change, and what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.errno import Errno
from bpflab.abi.kernel_contexts import KERNEL_CONTEXTS
from bpflab.sim.check import owned, res_locks, sections, works
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import ANY, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State


def _slice(_checker: Checker, state: State) -> Value:
    """Give read-only memory as long as r4 says."""
    return Value(Kind.RDONLY_MEM, size=state.regs[4].constant or 0)


def _slice_rdwr(_checker: Checker, state: State) -> Value:
    return Value(Kind.MEM, size=state.regs[4].constant or 0)


def _session_cookie(_checker: Checker, _state: State) -> Value:
    """Give eight bytes that may be written."""
    return Value(Kind.MEM, size=8)


def _cast_to_context(checker: Checker, state: State) -> Value:
    """Give the kernel's own structure behind the context in r1."""
    if state.regs[1].kind not in {Kind.CTX, Kind.ANY}:
        checker.refuse("arg#0 expected pointer to ctx", Errno.EINVAL)
    name = KERNEL_CONTEXTS.get(checker.subject.type)
    btf = checker.subject.kernel_types
    found = btf.find(name, BtfKind.STRUCT) if btf is not None and name else None
    return ANY if found is None else Value(Kind.TRUSTED_BTF, btf=found)


def _cast_to_type(checker: Checker, state: State) -> Value:
    """Give r1 as a pointer to the kernel's type whose id is in r2; to bytes that are read one at a time for void."""
    type_id, btf = state.regs[2].constant, checker.subject.kernel_types
    if not type_id:
        return Value(Kind.RDONLY_MEM)
    if btf is None or type_id not in btf or btf.kind(type_id) is not BtfKind.STRUCT:
        checker.refuse("kfunc bpf_rdonly_cast type ID argument must be of a struct or void", Errno.EINVAL)
    return Value(Kind.BTF, btf=type_id)


def _moves_packet(_checker: Checker, state: State) -> None:
    state.move_packet()


RESULTS: Final[dict[str, Callable[[Checker, State], Value | None]]] = {
    "bpf_dynptr_slice": _slice,
    "bpf_dynptr_slice_rdwr": _slice_rdwr,
    "bpf_cast_to_kern_ctx": _cast_to_context,
    "bpf_rdonly_cast": _cast_to_type,
    "bpf_session_cookie": _session_cookie,
    "bpf_res_spin_lock": res_locks.taken,
    "bpf_res_spin_lock_irqsave": res_locks.taken,
    "bpf_obj_new_impl": owned.own_object,
    "bpf_percpu_obj_new_impl": owned.own_percpu_object,
    "bpf_refcount_acquire_impl": owned.another_reference,
    "bpf_list_push_front_impl": owned.give_away,
    "bpf_list_push_back_impl": owned.give_away,
    "bpf_rbtree_add_impl": owned.add_to_tree,
    "bpf_list_pop_front": owned.taken_out,
    "bpf_list_pop_back": owned.taken_out,
    "bpf_rbtree_remove": owned.taken_out,
    "bpf_list_front": owned.looked_at,
    "bpf_list_back": owned.looked_at,
    "bpf_rbtree_first": owned.looked_at,
    "bpf_rbtree_root": owned.looked_at,
    "bpf_rbtree_left": owned.looked_at,
    "bpf_rbtree_right": owned.looked_at,
}
"""What r0 holds, where the prototype does not tell."""

EFFECTS: Final[dict[str, Callable[[Checker, State], None]]] = {
    "bpf_rcu_read_lock": sections.rcu_read_lock,
    "bpf_rcu_read_unlock": sections.rcu_read_unlock,
    "bpf_preempt_disable": sections.preempt_disable,
    "bpf_preempt_enable": sections.preempt_enable,
    "bpf_local_irq_save": sections.irq_save,
    "bpf_local_irq_restore": sections.irq_restore,
    "bpf_res_spin_lock": res_locks.lock,
    "bpf_res_spin_lock_irqsave": res_locks.lock_irqsave,
    "bpf_res_spin_unlock": res_locks.unlock,
    "bpf_res_spin_unlock_irqrestore": res_locks.unlock_irqrestore,
    "bpf_wq_init": works.init,
    "bpf_wq_set_callback_impl": works.set_callback,
    "bpf_wq_start": works.start,
    "bpf_obj_drop_impl": owned.drop,
    "bpf_percpu_obj_drop_impl": owned.drop,
    "bpf_xdp_pull_data": _moves_packet,
}
"""What a call changes beside r0."""
