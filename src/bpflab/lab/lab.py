"""A Lab: what a test opens in its kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.backend.base import simulated
from bpflab.lab.simulated import SimulatedSide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from re import Pattern
    from typing import Any

    from bpflab.abi.attach_types import AttachType
    from bpflab.abi.flags import MapFlag
    from bpflab.abi.map_types import MapType
    from bpflab.abi.prog_types import ProgType
    from bpflab.attach.link import Link
    from bpflab.contexts import AnyContext
    from bpflab.faults import Faults
    from bpflab.maps.base import Map
    from bpflab.maps.handle import MapHandle
    from bpflab.obj.spec import ObjectSpec
    from bpflab.objects.loaded import LoadedObject
    from bpflab.objects.opened import OpenedObject
    from bpflab.programs.chain import Chain
    from bpflab.programs.program import Program
    from bpflab.programs.rejection import Rejection
    from bpflab.snapshots.snapshot import Snapshot
    from bpflab.trace import Trace


class Lab(SimulatedSide):
    """One backend and everything opened in it: maps, programs, links, consumers.

    `backend` is a name (`kernel`, `sim`, `mock`, or `auto`: the kernel where it can be used, else the
    simulator) or a Backend. `retry` says how transient errors of the kernel are tried again. `pin_root` is where
    objects pin maps by name; by default a BPF file system that only this Lab sees, so that tests do not meet
    each other's pins. Used as a context manager, a Lab closes all it owns in the reverse of the order of opening.
    """

    _faults: Faults | None = None

    def map(
        self,
        type: MapType | str,  # noqa: A002 - the field's own word for it, used by keyword
        *,
        key: object = None,
        value: object = None,
        max_entries: int | None = None,
        flags: MapFlag | int = 0,
        name: str = "",
        pin: str | Path | None = None,
        numa_node: int | None = None,
        inner: object = None,
        btf: object = None,
        map_extra: int = 0,
    ) -> Map[Any, Any]:
        """Create a map; `bpflab.maps.create.create_map` documents each argument and the errors."""
        from bpflab.maps.create import create_map

        self.check_open()
        return create_map(
            self,
            type,
            key=key,
            value=value,
            max_entries=max_entries,
            flags=flags,
            name=name,
            pin=pin,
            numa_node=numa_node,
            inner=inner,
            btf=btf,
            map_extra=map_extra,
        )

    def open_map(
        self,
        *,
        path: str | Path | None = None,
        id: int | None = None,  # noqa: A002 - the field's own word for it, used by keyword
        fd: int | None = None,
        type: MapType | str | None = None,  # noqa: A002 - as above
        key: object = None,
        value: object = None,
        max_entries: int | None = None,
        btf: object = None,
        name: str | None = None,
    ) -> Map[Any, Any]:
        """Open a map that exists, by path, number or descriptor; `bpflab.maps.opened.open_map` documents it."""
        from bpflab.maps.opened import open_map

        self.check_open()
        return open_map(
            self,
            path=path,
            id=id,
            fd=fd,
            type=type,
            key=key,
            value=value,
            max_entries=max_entries,
            btf=btf,
            name=name,
        )

    def program(
        self,
        code: object,
        *,
        type: ProgType | str = "xdp",  # noqa: A002 - the field's own word for it, used by keyword
        name: str = "",
        license: str = "GPL",  # noqa: A002 - as above
        **options: Any,  # noqa: ANN401 - typed and checked by load_program
    ) -> Program:
        """Load a program from instruction bytes, assembler text or instructions; see `programs.load`."""
        from bpflab.programs.load import load_program

        self.check_open()
        return load_program(self, code, type=type, name=name, license=license, **options)

    def chain(
        self,
        name: str,
        stages: Iterable[Any] | Mapping[str, Any],
        *,
        type: ProgType | str = "xdp",  # noqa: A002 - the field's own word for it, used by keyword
        missing: int | None = None,
    ) -> Chain:
        """Load programs that lead from one to the next by tail calls, and run as one; see `programs.chain`.

        `stages` are assembler texts or instructions, in order or by name. `missing` is the verdict where no stage
        follows: by default ABORTED for XDP, SHOT for tc, 0 for other types.
        """
        from bpflab.programs.chain import build_chain

        self.check_open()
        return build_chain(self, name, stages, type=type, missing=missing)

    def load(
        self,
        source: str | Path | bytes | ObjectSpec,
        *,
        programs: Iterable[str] | None = None,
        rodata: Mapping[str, int | bytes] | None = None,
        maps: Mapping[str, Map[Any, Any]] | None = None,
    ) -> LoadedObject:
        """Load a C source, an object file, its bytes or a spec; see `bpflab.objects.load.load_object`."""
        from bpflab.objects.load import load_object

        self.check_open()
        return load_object(self, source, programs=programs, rodata=rodata, maps=maps)

    def open(self, source: str | Path | bytes | ObjectSpec) -> OpenedObject:
        """Open an object to change what it says before it is loaded: sizes of maps, constants, programs left out."""
        from bpflab.objects.opened import OpenedObject

        self.check_open()
        return OpenedObject(self, source)

    def rejects(
        self,
        message: str | Pattern[str] | None = None,
        *,
        insn: int | None = None,
        source: str | int | None = None,
        program: str | None = None,
        errno: int | str | None = None,
    ) -> Rejection:
        """Expect that the verifier refuses a program that the `with` block loads; the block ends there.

        `message` is a part of the log's words, or a `re.compile(...)` that is searched for in it; `insn` the number of
        the instruction in the log; `source` `file.c:12`, a line's number, or part of its text; `program` the
        program's name; `errno` a name or number. NotRejectedError, which is an AssertionError too, when all is taken,
        or refused otherwise. Other errors pass through. The result's `error` is the VerifierError.
        """
        from bpflab.programs.rejection import rejection

        self.check_open()
        return rejection(message, insn=insn, source=source, program=program, errno=errno)

    def snapshot(self, *maps: MapHandle[Any, Any]) -> Snapshot:
        """Keep what maps hold now, all of the Lab's by default; `restore()` of the result brings it back.

        All of them together with what a test may set in a simulated kernel: CPU, clock, random numbers, world. What
        cannot be brought back is in the result's `left_out`; `bpflab.snapshots.snapshot.Snapshot` says more.
        """
        from bpflab.maps.handle import MapHandle
        from bpflab.snapshots.snapshot import Snapshot

        self.check_open()
        owned = [each for each in self._owned if isinstance(each, MapHandle)]
        simulator = simulated(self.backend)
        others = [simulator.keep()] if simulator and not maps else []
        return self.own(Snapshot(self, maps or owned, others))

    def attach(
        self,
        program: Program,
        to: object = None,
        *,
        hook: str | AttachType | None = None,
        before: Program | None = None,
        after: Program | None = None,
        flags: int = 0,
    ) -> Link:
        """Attach a program to its hook: an interface, a cgroup, a tracepoint; see `attach.attach.attach_program`."""
        from bpflab.attach.attach import attach_program

        self.check_open()
        return attach_program(self, program, to, hook=hook, before=before, after=after, flags=flags)

    def trace(
        self,
        program: Program,
        data: object = b"",
        ctx: AnyContext | bytes | None = None,
        **options: Any,  # noqa: ANN401 - those of Program.run, which checks them
    ) -> Trace:
        """Run a program as `program.run` does, and return the way it took: lines, branches, calls, changes.

        `print(lab.trace(program, packet))` shows it; `.result` is the run's result. See `bpflab.trace.run.trace_run`.
        """
        from bpflab.trace.run import trace_run

        self.check_open()
        return trace_run(self, program, data, ctx, **options)

    @property
    def faults(self) -> Faults:
        """Faults to set: `faults.fail("MAP_UPDATE_ELEM", "E2BIG", after=3)` and others; see `bpflab.faults`.

        Nothing is slower for it until the first fault is set.
        """
        if self._faults is None:
            from bpflab.faults import Faults

            self._faults = Faults(self)
        return self._faults
