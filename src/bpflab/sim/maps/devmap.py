"""DEVMAP, DEVMAP_HASH and CPUMAP: where XDP programs redirect frames to.

A value is the target (interface index, queue size) and, if it has eight bytes, a program to run
there: its descriptor going in, its id coming out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.sim.maps.array import IndexedMap
from bpflab.sim.maps.base import EXIST, NOEXIST, SimMap
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec
    from bpflab.sim.memory import Region

MAX_QUEUE: Final = 16384
MAX_CPUS: Final = 8192
"""The kernel's NR_CPUS is a matter of its configuration; this is the largest in use."""


@dataclass(slots=True)
class Target:
    """Where to redirect to: an interface's index or a queue's size, and a program to run there."""

    number: int
    program: SimProgram | None = None
    region: Region | None = None


class TargetMap(SimMap):
    """What the three share: targets by index, with the values that programs see."""

    attach_type: ClassVar[AttachType]
    bad_program: ClassVar[Errno] = Errno.EINVAL

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self.targets: dict[int, Target] = {}

    def index_of(self, key: bytes) -> int:
        """Return the index that a key means."""
        return int.from_bytes(key, self.byteorder)

    def lookup(self, key: bytes) -> int:
        """Return the address of a target's value, which programs may read; 0 when there is none."""
        target = self.targets.get(self.index_of(key))
        if target is None:
            return 0
        if target.region is None:
            target.region = self.add_region(bytearray(self._value(target)))
            target.region.writable = False
        return target.region.address

    def has_target(self, index: int) -> bool:
        """Tell whether a redirect to an index has somewhere to go."""
        return index in self.targets

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return the target and its program's id; ENOENT."""
        del flags
        target = self.targets.get(self.index_of(key))
        if target is None:
            raise Refusal(Errno.ENOENT)
        return self._value(target)

    def program_of(self, fd: int) -> SimProgram:
        """Return an XDP program made for this map, with a reference taken; `bad_program` for anything else."""
        try:
            program = self.kernel.files.get(fd).object
        except Refusal:
            raise Refusal(self.bad_program) from None
        if not isinstance(program, SimProgram) or program.type != ProgType.XDP:
            raise Refusal(self.bad_program)
        refuse_if(program.spec.expected_attach_type != self.attach_type, self.bad_program)
        program.get()
        return program

    def read_value(self, value: bytes) -> tuple[int, int]:
        """Return a value's target number and the descriptor of its program, 0 without one."""
        fd = int.from_bytes(value[4:], self.byteorder, signed=True) if len(value) > 4 else 0
        return int.from_bytes(value[:4], self.byteorder), fd

    def put_target(self, index: int, target: Target) -> None:
        """Put a target at an index, whatever was there."""
        self.remove(index)
        self.targets[index] = target

    def remove(self, index: int) -> bool:
        """Remove the target at an index; tells whether there was one."""
        target = self.targets.pop(index, None)
        if target is not None and target.region is not None:
            self.kernel.memory.retire(target.region)
        if target is not None and target.program is not None:
            target.program.put()
        return target is not None

    def free(self) -> None:
        """Give the programs back."""
        for index in list(self.targets):
            self.remove(index)
        super().free()

    def _value(self, target: Target) -> bytes:
        number = target.number.to_bytes(4, self.byteorder)
        program = target.program.id if target.program else 0
        return number + (program.to_bytes(4, self.byteorder) if self.value_size > 4 else b"")


class DevMap(TargetMap, IndexedMap):
    """DEVMAP: interfaces by index. EINVAL for an interface that the simulated world does not have."""

    attach_type = AttachType.XDP_DEVMAP

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self.flags |= MapFlag.RDONLY_PROG

    def device(self, value: bytes) -> Target | None:
        """Return the target of a value; None for interface 0."""
        ifindex, fd = self.read_value(value)
        if not ifindex:
            refuse_if(fd > 0)
            return None
        refuse_if(ifindex not in self.kernel.world.interfaces)
        return Target(ifindex, self.program_of(fd) if fd > 0 else None)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Put an interface at an index; interface 0 empties it."""
        index = self.index(key)
        if flags > EXIST:
            return -Errno.EINVAL
        if index >= self.max_entries:
            return -Errno.E2BIG
        if flags == NOEXIST:
            return -Errno.EEXIST
        target = self.device(value)
        if target is None:
            self.remove(index)
        else:
            self.put_target(index, target)
        return 0

    def delete(self, key: bytes) -> int:
        """Empty an index, which may be empty."""
        index = self.index(key)
        if index >= self.max_entries:
            return -Errno.EINVAL
        self.remove(index)
        return 0


class DevMapHash(DevMap):
    """DEVMAP_HASH: interfaces by any number."""

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Put an interface at a number; E2BIG when the map is full."""
        index = self.index_of(key)
        if flags > EXIST or not self.read_value(value)[0]:
            return -Errno.EINVAL
        if index in self.targets and flags & NOEXIST:
            return -Errno.EEXIST
        target = self.device(value)
        if index not in self.targets and len(self.targets) >= self.max_entries:
            return -Errno.E2BIG
        if target is not None:
            self.put_target(index, target)
        return 0

    def delete(self, key: bytes) -> int:
        """Remove; ENOENT."""
        return 0 if self.remove(self.index_of(key)) else -Errno.ENOENT

    def next_key(self, key: bytes | None) -> bytes:
        """Return the number put in after this one; the first for one that is not there."""
        numbers = list(self.targets)
        index = None if key is None else self.index_of(key)
        place = numbers.index(index) + 1 if index in self.targets else 0
        if place == len(numbers):
            raise Refusal(Errno.ENOENT)
        return numbers[place].to_bytes(4, self.byteorder)


class CpuMap(TargetMap, IndexedMap):
    """CPUMAP: queues of other CPUs, by CPU."""

    attach_type = AttachType.XDP_CPUMAP
    bad_program = Errno.ENOMEM

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do, and (E2BIG) more entries than a kernel has CPUs."""
        super().check(spec)
        refuse_if(spec.max_entries > MAX_CPUS, Errno.E2BIG)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Make a CPU's queue of so many frames; 0 removes it."""
        cpu, (size, fd) = self.index(key), self.read_value(value)
        if flags > EXIST:
            return -Errno.EINVAL
        if cpu >= self.max_entries:
            return -Errno.E2BIG
        if flags == NOEXIST:
            return -Errno.EEXIST
        if size > MAX_QUEUE:
            return -Errno.EOVERFLOW
        if cpu >= self.kernel.machine.possible_cpus:
            return -Errno.ENODEV
        if size:
            self.put_target(cpu, Target(size, self.program_of(fd) if fd > 0 else None))
        else:
            self.remove(cpu)
        return 0

    def delete(self, key: bytes) -> int:
        """Remove a CPU's queue, which may not be there."""
        index = self.index(key)
        if index >= self.max_entries:
            return -Errno.EINVAL
        self.remove(index)
        return 0


TYPES = {MapType.DEVMAP: DevMap, MapType.DEVMAP_HASH: DevMapHash, MapType.CPUMAP: CpuMap}
