"""Runs with a trace: on the simulator they are watched, after any other backend they are made again there."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from bpflab.abi.verdicts import verdict_of
from bpflab.backend.base import simulated
from bpflab.errors import FaultError, TraceError
from bpflab.trace.model import Trace
from bpflab.trace.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bpflab.backend.base import Backend
    from bpflab.contexts import AnyContext
    from bpflab.lab import Lab
    from bpflab.programs.program import Program
    from bpflab.programs.result import RunResult
    from bpflab.sim.world import World
    from bpflab.trace.log import CallLog
    from bpflab.trace.recorder import Recording


def trace_run(
    lab: Lab,
    program: Program,
    data: object = b"",
    ctx: AnyContext | bytes | None = None,
    **options: Any,  # noqa: ANN401 - those of Program.run, which checks them
) -> Trace:
    """Run a program as `Program.run` does, and return the way it took; `Trace.result` is the run's result.

    An unsafe act that stops the program on the simulator is told by `Trace.fault`, and not raised. TraceError on a
    backend that is not simulated, unless the Lab was opened on `traceable(...)`.
    """
    simulator = simulated(lab.backend)
    from bpflab.trace.log import call_log

    log = None if simulator else call_log(lab.backend)
    if simulator is not None:
        with recording(simulator.world) as recorder:
            result = _result(program, data, ctx, options)
        return _watched(program, recorder, result, data)
    if log is None:
        raise TraceError(
            f"A Lab on the backend {lab.backend.name!r} keeps no log of its calls, from which the run could be made "
            "again on the simulator. Open it as Lab(traceable('kernel')), from bpflab.trace, or trace on Lab('sim')."
        )
    return _repeated(program, log, _result(program, data, ctx, options))


def traceable(backend: str | Backend = "auto") -> Backend:
    """Return a backend whose calls are logged, so that its runs can be made again on the simulator for a trace."""
    from bpflab.backend.select import open_backend
    from bpflab.trace.log import CallLog

    return CallLog(open_backend(backend))


@contextmanager
def recording(world: World) -> Iterator[Recorder]:
    """Record the runs of a simulated kernel's programs while the block lasts."""
    recorder, before = Recorder(), world.observer
    world.observer = recorder
    try:
        yield recorder
    finally:
        world.observer = before


def trace_of(
    recorded: Recording,
    *,
    packet: bytes = b"",
    output: bytes = b"",
    note: str = "",
    differences: tuple[str, ...] = (),
) -> Trace:
    """Make the trace of a run that was recorded."""
    retval = None if recorded.retval is None else recorded.retval & 0xFFFFFFFF
    return Trace(
        program=recorded.program.name,
        visits=recorded.visits,
        retval=retval,
        verdict=None if retval is None else verdict_of(recorded.program.type, retval),
        fault="" if recorded.fault is None else str(recorded.fault),
        packet=packet,
        output=output,
        steps=recorded.steps,
        left_out=recorded.left_out,
        kept_first=len(recorded.first),
        note=note,
        differences=differences,
    )


def _result(
    program: Program, data: object, ctx: AnyContext | bytes | None, options: dict[str, Any]
) -> RunResult | None:
    try:
        return program.run(data, ctx, **options)
    except FaultError:
        return None


def _watched(program: Program, recorder: Recorder, result: RunResult | None, data: object) -> Trace:
    from bpflab.programs.inputs import packet_bytes

    if recorder.last is None:
        raise TraceError(f"The run of program {program.name!r} was not seen: no program of a simulated kernel started.")
    made = trace_of(recorder.last, packet=packet_bytes(data), output=result.data if result else b"")
    return replace(made, result=result)


def _repeated(program: Program, log: CallLog, result: RunResult | None) -> Trace:
    from bpflab.trace.replay import replayed, runs_of

    del program
    return replace(replayed(log, runs_of(log)[-1:])[0], result=result)
