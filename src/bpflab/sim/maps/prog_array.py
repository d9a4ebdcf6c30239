"""PROG_ARRAY: programs to tail-call."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bpflab.abi.flags import ProgFlag
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.slots import SlotMap
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec


class ProgArrayMap(SlotMap):
    """PROG_ARRAY. The first program that is put in or that uses it decides which may follow: `owner`."""

    can_be_inner: ClassVar[bool] = False

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self.owner: tuple[object, ...] | None = None

    def find(self, fd: int) -> SimProgram:
        """Return the program of a descriptor; EINVAL for one that does not go with the others."""
        program = self.kernel.find(fd, SimProgram)
        refuse_if(not self.adopt(program))
        program.get()
        return program

    def adopt(self, program: SimProgram) -> bool:
        """Tell whether a program goes with the others, and let the first one decide."""
        traits = (program.type, bool(program.spec.flags & ProgFlag.XDP_HAS_FRAGS))
        self.owner = self.owner or traits
        return self.owner == traits

    def program_at(self, index: int) -> SimProgram | None:
        """Return the program that a tail call to an index goes to."""
        found = self.slots.get(index)
        return found if isinstance(found, SimProgram) else None

    def abandoned(self) -> None:
        """Empty it: nobody in user space holds it, and programs in it might hold it for ever."""
        self.clear()


TYPES = {MapType.PROG_ARRAY: ProgArrayMap}
