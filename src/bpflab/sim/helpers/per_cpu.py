"""One CPU's copy of what each CPU has its own of: the kernel's variables, programs' objects (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.own_objects import OwnObject
from bpflab.sim.variables import KernelVariable

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment


def per_cpu_ptr(env: Environment, percpu_ptr: int, cpu: int) -> int:
    """Give the copy of a CPU; null for a CPU that the machine does not have."""
    return _copy(env, percpu_ptr, cpu) if cpu < env.kernel.machine.possible_cpus else 0


def this_cpu_ptr(env: Environment, percpu_ptr: int) -> int:
    """Give the copy of the CPU that runs the program."""
    return _copy(env, percpu_ptr, env.run.cpu)


def _copy(env: Environment, address: int, cpu: int) -> int:
    region = env.run.memory.find(address)
    match region.owner if region is not None else None:
        case KernelVariable() as variable:
            return variable.on(cpu).address
        case OwnObject(size=size, cpus=cpus) if cpus:
            return address + size * cpu
    raise Fault(FaultKind.HELPER_ARGUMENT, f"nothing at {address:#x} is one of each CPU's own")
