"""Variables of the simulated kernel, found by name in its types: one copy, or one for each CPU.

They are all zeros until the test sets them: `world.variable("runqueues", cpu=1, nr_running=3)`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.btf import BtfKind
from bpflab.errors import ArgumentError
from bpflab.obj.btf_layout import Field, resolve, resolved, size_of
from bpflab.obj.btf_types import Composite, Datasec, Var
from bpflab.sim.memory import RegionKind
from bpflab.sim.structs import KernelStruct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.obj.btf import Btf
    from bpflab.sim.world import World

PER_CPU_SECTION: Final = ".data..percpu"


class KernelVariable:
    """A variable: `type_id` without const and typedef; `address` is what a program's wide load of it gives.

    That of a per-CPU variable is no place to read from: helpers make one of it.
    """

    def __init__(self, world: World, btf: Btf, btf_id: int) -> None:
        self.name = btf.name(btf_id)
        self.type_id = resolve(btf, btf.get(btf_id, Var).type_id)
        self.is_struct = isinstance(resolved(btf, self.type_id), Composite)
        self.size = size_of(btf, self.type_id)
        self.per_cpu = btf_id in per_cpu_variables(btf)
        self._world, self._btf = world, btf
        self._copies: dict[int, KernelStruct] = {}
        self.address = self._place() if self.per_cpu else self.on(0).address

    def on(self, cpu: int) -> KernelStruct:
        """Return the copy of a CPU; of a variable that is not per CPU, the only one."""
        at = cpu if self.per_cpu else 0
        if at not in self._copies:
            name = f"{self.name} of CPU {at}" if self.per_cpu else self.name
            self._copies[at] = KernelStruct(self._world, self._btf, self.type_id, name=name)
            self._copies[at].forgive()
        return self._copies[at]

    def set(self, cpu: int, value: Any) -> None:  # noqa: ANN401 - the variable's own type
        """Set a copy; a structure by a mapping of its fields."""
        self.on(cpu)._set(self._whole, value)

    def get(self, cpu: int) -> Any:  # noqa: ANN401 - the variable's own type
        """Return a copy: a structure as an object with fields, anything else as its value."""
        return self.on(cpu) if self.is_struct else self.on(cpu)._get(self._whole)

    def contents(self) -> dict[int, bytes]:
        """Return the bytes of every copy that is laid out, by CPU."""
        return {cpu: self._world.memory.read(copy.address, self.size) for cpu, copy in self._copies.items()}

    def refill(self, contents: Mapping[int, bytes]) -> None:
        """Set every copy back; to zeros where nothing is told of it."""
        for cpu, copy in self._copies.items():
            self._world.memory.write(copy.address, contents.get(cpu, bytes(self.size)))

    @property
    def _whole(self) -> Field:
        return Field(self.name, self.type_id, 0, 8 * self.size)

    def _place(self) -> int:
        return self._world.memory.add(
            RegionKind.KERNEL_OBJECT, bytearray(), name=f"per-CPU {self.name}", owner=self
        ).address


@lru_cache(maxsize=8)
def per_cpu_variables(btf: Btf) -> frozenset[int]:
    """Return the ids of the variables that each CPU has its own copy of."""
    section = btf.find(PER_CPU_SECTION, BtfKind.DATASEC)
    return frozenset(each.type_id for each in btf.get(section, Datasec).variables) if section else frozenset()


def variable_of(world: World, name: str) -> KernelVariable:
    """Return the variable of a name; ArgumentError where the kernel's types have none."""
    found = world.variables.get(name)
    if found is None:
        btf = world.types.required(f"variable {name}")
        btf_id = btf.find(name, BtfKind.VAR)
        if btf_id is None:
            raise ArgumentError(
                f"The kernel's types have no variable {name!r}; up to Linux 6.18 they name per-CPU variables alone."
            )
        found = world.variables[name] = KernelVariable(world, btf, btf_id)
    return found
