"""A Lab: one backend and everything opened in it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from bpflab.backend.base import simulated, simulating
from bpflab.backend.call import DEFAULT_RETRY, Caller
from bpflab.backend.select import open_backend
from bpflab.errors import ClosedError
from bpflab.scope import Scope, close_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from re import Pattern
    from types import TracebackType
    from typing import Any, Self

    from bpflab.abi.attach_types import AttachType
    from bpflab.abi.flags import MapFlag
    from bpflab.abi.map_types import MapType
    from bpflab.abi.prog_types import ProgType
    from bpflab.attach.link import Link
    from bpflab.backend.base import Backend
    from bpflab.contexts import AnyContext
    from bpflab.errors import RetryPolicy
    from bpflab.faults import Faults
    from bpflab.maps.base import Map
    from bpflab.maps.handle import MapHandle
    from bpflab.obj.spec import ObjectSpec
    from bpflab.objects.loaded import LoadedObject
    from bpflab.objects.opened import OpenedObject
    from bpflab.programs.chain import Chain
    from bpflab.programs.program import Program
    from bpflab.programs.rejection import Rejection
    from bpflab.programs.tally import Tally
    from bpflab.sim.clock import Chance, Clock
    from bpflab.sim.world import World
    from bpflab.snapshots.snapshot import Snapshot
    from bpflab.trace.model import Trace


class Closable(Protocol):
    """Something that a Lab can own. Closing twice is fine."""

    def close(self) -> None:
        """Release what it holds."""


ClosableT = TypeVar("ClosableT", bound=Closable)
ResultT = TypeVar("ResultT")
WrapperT = TypeVar("WrapperT", bound="Backend")


@runtime_checkable
class Rebinding(Protocol):
    """Something that keeps what its Lab's backend gave, and can take it anew."""

    def rebind(self) -> None:
        """Take the Lab's backend anew."""


class Lab:
    """One backend and everything opened in it: maps, programs, links, consumers.

    `backend` is a name (`kernel`, `sim`, `mock`, or `auto`: the kernel where it can be used, else the
    simulator) or a Backend. `retry` says how transient errors of the kernel are tried again. `pin_root` is where
    objects pin maps by name; by default a BPF file system that only this Lab sees, so that tests do not meet
    each other's pins. Used as a context manager, a Lab closes all it owns in the reverse of the order of opening.
    """

    def __init__(
        self,
        backend: str | Backend = "auto",
        *,
        retry: RetryPolicy = DEFAULT_RETRY,
        pin_root: str | Path | None = None,
    ) -> None:
        self.backend = open_backend(backend)
        self.call = Caller(self.backend, retry)
        self.maps: dict[str, Map[Any, Any]] = {}
        self._owned: list[Closable] = []
        self._tallies: dict[tuple[str, ProgType], Tally] = {}
        self._closed = False
        self._faults: Faults | None = None
        self._pin_root = None if pin_root is None else str(pin_root)

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

    def tally(self, name: str, type: ProgType) -> Tally:  # noqa: A002 - the field's own word for it
        """Return the count of runs of the programs of a name and type, which their runs add to."""
        key = name, type
        if key not in self._tallies:
            from bpflab.programs.tally import Tally

            self._tallies[key] = Tally(name, type)
        return self._tallies[key]

    def take_tallies(self) -> tuple[Tally, ...]:
        """Return `tallies` that count runs, and begin to count anew."""
        return tuple(tally.take() for tally in self._tallies.values() if tally.retvals)

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """What the runs of programs in this Lab came to, by program."""
        return tuple(self._tallies.values())

    def scope(self) -> Scope:
        """Close what is opened inside the `with` block at its end, and leave what was open before."""
        return Scope(self, self._owned)

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

    def race(self, *runs: Callable[[], ResultT], turns: Sequence[int] = ()) -> list[ResultT]:
        """Call functions that run programs at the same time, the first on CPU 0, the second on CPU 1, and so on.

        `turns` are the instructions that a CPU executes before the next one goes on, one after the other; when they are
        used up, each goes on to its end. The same turns give the same order in every run; `bpflab.testing.turns` draws
        them. The simulated kernel alone can do it (NotSupportedError); what the functions return comes back in order.
        """
        return simulating(self.backend, "CPUs").race(runs, turns)

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
    def pin_root(self) -> str:
        """The directory of maps that their objects pin by name: the one given, or a private BPF file system."""
        if self._pin_root is None:
            self._pin_root = self.backend.mount_bpf_fs()
        return self._pin_root

    @property
    def world(self) -> World:
        """Interfaces, routes, neighbours and replaced helpers of the simulated kernel, and what programs did there.

        NotSupportedError on any other backend, as for `clock`, `random` and `cpu`.
        """
        return simulating(self.backend, "world").world

    @property
    def clock(self) -> Clock:
        """The simulated kernel's time: it stands still until `clock.advance(seconds=...)`, which fires timers."""
        return simulating(self.backend, "clock").clock

    @property
    def random(self) -> Chance:
        """The simulated kernel's random numbers: `random.seed(7)` begins the sequence of a seed."""
        return simulating(self.backend, "random numbers").random

    @property
    def cpu(self) -> int:
        """The CPU that the simulated kernel runs programs on; can be set."""
        return simulating(self.backend, "CPU").cpu

    @cpu.setter
    def cpu(self, number: int) -> None:
        simulating(self.backend, "CPU").cpu = number

    @property
    def faults(self) -> Faults:
        """Faults to set: `faults.fail("MAP_UPDATE_ELEM", "E2BIG", after=3)` and others; see `bpflab.faults`.

        Nothing is slower for it until the first fault is set.
        """
        if self._faults is None:
            from bpflab.faults import Faults

            self._faults = Faults(self)
        return self._faults

    def wrap(self, around: Callable[[Backend], WrapperT]) -> WrapperT:
        """Put another backend around this Lab's, for what is open and for all that comes; return it."""
        wrapper = around(self.backend)
        self.backend = self.call.backend = wrapper
        for resource in list(self._owned):
            if isinstance(resource, Rebinding):
                resource.rebind()
        return wrapper

    def own(self, resource: ClosableT) -> ClosableT:
        """Close this when the Lab closes, before everything that was opened earlier."""
        self._owned.append(resource)
        return resource

    def disown(self, resource: Closable) -> None:
        """Forget a resource that was closed on its own; unknown ones are ignored."""
        with contextlib.suppress(ValueError):
            self._owned.remove(resource)

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self._closed

    def check_open(self) -> None:
        """Raise ClosedError when the Lab is closed."""
        if self._closed:
            raise ClosedError("This Lab is closed, and all that was opened in it; open another Lab.")

    def close(self) -> None:
        """Close all that the Lab owns, newest first; every close is tried, and the errors are raised together."""
        if self._closed:
            return
        self._closed = True
        with contextlib.ExitStack() as stack:
            stack.callback(self.backend.shutdown)
            stack.callback(self.maps.clear)
            stack.callback(close_all, list(self._owned))
            self._owned.clear()

    def __enter__(self) -> Self:
        self.check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._owned)} open"
        return f"<Lab on {self.backend.name}, {state}>"
