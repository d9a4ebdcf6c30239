"""Runs with a trace: on the simulator they are watched."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bpflab.abi.verdicts import verdict_of
from bpflab.trace.model import Trace
from bpflab.trace.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.world import World
    from bpflab.trace.recorder import Recording


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
