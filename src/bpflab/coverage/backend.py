"""A backend whose programs are measured: by marks of the simulator's engine, or by probes put into them."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.backend.base import Preparing, Wrapping
from bpflab.backend.wrap import WrappedBackend
from bpflab.coverage.data import CoverageData, Unmeasured
from bpflab.coverage.describe import describe
from bpflab.coverage.flow import CannotInstrumentError
from bpflab.coverage.instrument import create_map, flow_of, load_instrumented, probes_of
from bpflab.coverage.meters import EngineMeter, Meter, ProbeMeter
from bpflab.coverage.request import LoadAttr
from bpflab.errors import BpfError
from bpflab.sim.backend import SimBackend
from bpflab.sim.programs import SimProgram

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.asm.insn import Insn
    from bpflab.backend.base import Backend
    from bpflab.coverage.hits import Hits
    from bpflab.coverage.program import CoveredProgram
    from bpflab.coverage.source_files import SourceFiles

BTF = LAYOUTS[Command.BTF_LOAD]
SEEN = frozenset({Command.BTF_LOAD, Command.PROG_LOAD})
"""The commands that coverage looks at; all others go through."""


class CoveringBackend(WrappedBackend):
    """Passes everything on to `inner`, measures the programs that are loaded, and adds what ran to `data`.

    A program of the simulated kernel is measured by its engine, unless `probes` asks otherwise; any other is loaded
    a second time with probes in it, and that one is given to the caller. Where this fails the caller gets the
    program as it is, and `data` says why it was not measured.
    """

    def __init__(self, inner: Backend, data: CoverageData, files: SourceFiles, *, probes: bool | None = None) -> None:
        super().__init__(inner)
        self.data = data
        self._files = files
        self._simulator = None if probes else simulator_in(inner)
        self._btf: dict[int, bytes] = {}
        self._meters: dict[str, Meter] = {}
        self._unmeasured: set[str] = set()
        if isinstance(inner, Preparing):
            self.prepare = inner.prepare  # calls bound beforehand load no programs

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        """The call, measured where it loads something."""
        return self._seen

    def close(self, fd: int) -> None:
        """Close, and forget the BTF that the descriptor stood for."""
        self._btf.pop(fd, None)
        self.inner.close(fd)

    def dup(self, fd: int) -> int:
        """Duplicate a descriptor."""
        second = self.inner.dup(fd)
        if fd in self._btf:
            self._btf[second] = self._btf[fd]
        return second

    def shutdown(self) -> None:
        """Collect what ran, let go of the probes' maps, and shut the inner backend down."""
        self.collect()
        for meter in self._meters.values():
            meter.close()
        self._meters.clear()
        self.inner.shutdown()

    def collect(self) -> None:
        """Add to `data` what ran so far."""
        for digest, meter in self._meters.items():
            self.data.add(digest, meter.read())

    def restart(self) -> None:
        """Collect, and measure from nothing again."""
        self.collect()
        for meter in self._meters.values():
            meter.clear()

    def current(self) -> dict[str, Hits]:
        """Return what ran since the last `restart`, by the digests of the programs."""
        return {digest: meter.read() for digest, meter in self._meters.items()}

    def _seen(self, command: int, pointer: ctypes.c_void_p, size: int) -> int:
        if command not in SEEN:
            return self.inner.bpf(command, pointer, size)
        answer = self.inner.bpf(command, pointer, size)
        if answer >= 0 and command == Command.BTF_LOAD:
            self._btf[answer] = _btf(pointer, size)
        elif answer >= 0:
            return self._measured(answer, LoadAttr.read(pointer, size))
        return answer

    def _measured(self, fd: int, attr: LoadAttr) -> int:
        """Measure a program that was loaded; give the descriptor that stands for it from now on."""
        insns = attr.insns
        try:
            program = describe(attr, flow_of(insns), self._btf.get(attr["prog_btf_fd"]), self._files)
            if program.digest in self._unmeasured:
                return fd
            if self._simulator is not None:
                return self._marked(self._simulator, fd, program)
            return self._probed(fd, attr, insns, program)
        except BpfError as error:
            self.data.note(Unmeasured(attr.name, self.name, str(error)))
            return fd

    def _marked(self, simulator: SimBackend, fd: int, program: CoveredProgram) -> int:
        loaded = simulator.kernel.find(fd, SimProgram)
        meter = self._meters.get(program.digest)
        if not isinstance(meter, EngineMeter):
            self.data.know(program)
            meter = self._meters[program.digest] = EngineMeter(simulator.kernel, len(loaded.engine.insns))
        meter.watch(loaded)
        return fd

    def _probed(self, fd: int, attr: LoadAttr, insns: tuple[Insn, ...], program: CoveredProgram) -> int:
        known = self._meters.get(program.digest)
        meter = known if isinstance(known, ProbeMeter) else self._meter(insns, program)
        try:
            measured = load_instrumented(self.inner, attr, insns, meter.fd)
        except CannotInstrumentError:
            if meter is not known:
                self._unmeasured.add(program.digest)
                meter.close()
            raise
        self.data.know(program)
        self._meters[program.digest] = meter
        self.inner.close(fd)
        return measured

    def _meter(self, insns: tuple[Insn, ...], program: CoveredProgram) -> ProbeMeter:
        try:
            probes = probes_of(insns)
            return ProbeMeter(self.inner, probes, create_map(self.inner, probes))
        except CannotInstrumentError:
            self._unmeasured.add(program.digest)
            raise


def simulator_in(backend: Backend) -> SimBackend | None:
    """Return the simulated kernel's backend that lies inside a backend, if there is one."""
    if isinstance(backend, SimBackend):
        return backend
    return simulator_in(backend.inner) if isinstance(backend, Wrapping) else None


def _btf(pointer: ctypes.c_void_p, size: int) -> bytes:
    attr = ctypes.string_at(pointer, size).ljust(BTF.size, b"\0")
    return ctypes.string_at(BTF.get(attr, "btf"), BTF.get(attr, "btf_size"))
