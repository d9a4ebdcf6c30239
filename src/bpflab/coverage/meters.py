"""What is read of a running program: marks of the simulator's engine, or a map that probes store into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bpflab.coverage.hits import Hits, bits
from bpflab.sim.engine.cover import Cover, Marks

if TYPE_CHECKING:
    from bpflab.backend.base import Backend, MappedMemory
    from bpflab.coverage.probes import Probes
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import SimProgram


class Meter(Protocol):
    """Measures all loads of one program on one backend."""

    def read(self) -> Hits:
        """Return what ran since it was made or cleared."""

    def clear(self) -> None:
        """Forget what ran."""

    def close(self) -> None:
        """Let go of what it reads; closing twice is fine."""


class EngineMeter:
    """Reads the marks of programs of the simulated kernel."""

    def __init__(self, kernel: SimKernel, slots: int) -> None:
        self._kernel = kernel
        self._marks = Marks(slots)
        self._covers: dict[int, Cover] = {}

    def watch(self, program: SimProgram) -> None:
        """Measure one more load; those that are gone are forgotten."""
        alive = {program.id for program in self._kernel.programs}
        self._covers = {number: cover for number, cover in self._covers.items() if number in alive}
        self._covers[program.id] = Cover(program.engine, self._marks)

    def read(self) -> Hits:
        """Return what ran since it was made or cleared."""
        return Hits(bits(self._marks.executed), bits(self._marks.taken), bits(self._marks.fallen))

    def clear(self) -> None:
        """Forget what ran."""
        self._marks.clear()
        for cover in self._covers.values():
            cover.arm()

    def close(self) -> None:
        """Do nothing: the programs end with their kernel."""


class ProbeMeter:
    """Reads a map that probes store into. The map's descriptor is `fd`, for further loads of the program."""

    def __init__(self, backend: Backend, probes: Probes, fd: int) -> None:
        self._backend = backend
        self._probes = probes
        self._memory: MappedMemory | None = backend.mmap(fd, probes.count, writable=True)
        self._view = memoryview(self._memory)
        self.fd = fd
        self._last = bytes(probes.count)
        self._hits = Hits()

    def read(self) -> Hits:
        """Return what ran since it was made or cleared."""
        stored = self._last if self._memory is None else bytes(self._view[: self._probes.count])
        if stored != self._last:
            self._last, self._hits = stored, self._probes.read(stored)
        return self._hits

    def clear(self) -> None:
        """Forget what ran."""
        self._view[: self._probes.count] = bytes(self._probes.count)

    def close(self) -> None:
        """Unmap, and close the descriptor; what was read last stays."""
        if self._memory is not None:
            self.read()
            self._view.release()
            self._memory.close()
            self._memory = None
            self._backend.close(self.fd)
