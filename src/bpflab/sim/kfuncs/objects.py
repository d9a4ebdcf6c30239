"""Objects of the program's own types: allocated, shared, dropped (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim import own_objects
from bpflab.sim.fault import Fault, FaultKind

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.sim.test_run import Environment


def bpf_obj_new_impl(env: Environment, local_type_id: int, meta: int) -> int:
    """Allocate an object of zeros."""
    del meta
    return own_objects.allocate(env.run.memory, _types(env), local_type_id)


def bpf_percpu_obj_new_impl(env: Environment, local_type_id: int, meta: int) -> int:
    """Allocate an object of zeros for each CPU."""
    del meta
    cpus = env.kernel.machine.possible_cpus
    return own_objects.allocate(env.run.memory, _types(env), local_type_id, cpus=cpus)


def bpf_obj_drop_impl(env: Environment, kptr: int, meta: int) -> None:
    """Give up an object; the last holder frees it."""
    del meta
    own_objects.drop(env.run.memory, kptr)


def bpf_percpu_obj_drop_impl(env: Environment, kptr: int, meta: int) -> None:
    """Give up an object of all CPUs."""
    del meta
    own_objects.drop(env.run.memory, kptr)


def bpf_refcount_acquire_impl(env: Environment, kptr: int, meta: int) -> int:
    """Take a second hold on an object."""
    del meta
    own_objects.hold(env.run.memory, kptr)
    return kptr


def _types(env: Environment) -> Btf:
    btf = env.running.btf
    if btf is None:
        raise Fault(FaultKind.HELPER_ARGUMENT, "the program has no BTF to allocate objects by")
    return btf.types
