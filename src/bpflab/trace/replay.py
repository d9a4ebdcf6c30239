"""A run made again on the simulator for its trace, from a log of the calls that led to it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.commands import Command
from bpflab.abi.errno import errno_meaning, errno_name
from bpflab.backend.journal_entry import Call
from bpflab.backend.play import Player
from bpflab.errors import FaultError, TraceError
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine
from bpflab.trace.differ import Answer, differences
from bpflab.trace.made import Made, MadeRun
from bpflab.trace.recorder import Recorder
from bpflab.trace.run import trace_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.backend.journal_entry import Entry, Reply
    from bpflab.trace.log import CallLog
    from bpflab.trace.made import Moment
    from bpflab.trace.model import Trace

WORLD: Final = ("interfaces", "routes", "neighbours")
"""What a replay takes over from the world of the simulated kernel that was recorded, as it is by then."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run to be made again: where it stands in the log, and how many runs of its Lab came before it."""

    index: int
    number: int


def runs_of(log: CallLog, since: int = 0) -> list[Wanted]:
    """Find the runs of a log from an index on, in order."""
    numbered = [index for index, entry in enumerate(log.log or ()) if isinstance(entry, MadeRun)]
    return [Wanted(index, number) for number, index in enumerate(numbered) if index >= since]


def replayed(log: CallLog, wanted: Sequence[Wanted]) -> list[Trace]:
    """Make runs again on a simulated kernel of the same shape, and trace those that are wanted.

    TraceError where the log became too long, or the simulator cannot do what it has to. A run that went another way
    says so in its `differences`.
    """
    if log.log is None:
        raise TraceError(
            "The calls of this Lab became too many to be made again for a trace. Use --bpf-trace, which traces runs on "
            "the simulator as they are made, or a Lab of the test's own (the fixture bpf)."
        )
    backend = _same_machine(log)
    player = Player(backend, log.journal.machine)
    try:
        return _played(log.log, {each.index for each in wanted}, player, backend, log)
    finally:
        player.close()
        backend.shutdown()


def _played(
    entries: list[Entry | Made], wanted: set[int], player: Player, backend: SimBackend, log: CallLog
) -> list[Trace]:
    traces, refusal = [], ""
    for index, entry in enumerate(entries[: max(wanted, default=-1) + 1]):
        if index in wanted and isinstance(entry, MadeRun):
            traces.append(_traced(entry, player, backend, log, refusal))
        else:
            reply, _ = _play(entry, player, backend)
            refusal = refusal or _refused(entry, reply)
    return traces


def _refused(entry: Entry | Made, reply: Reply | None) -> str:
    """Say which call was refused that the recorded backend had granted; empty for any other."""
    if not isinstance(entry, Call) or entry.reply.result < 0 or reply is None or reply.result >= 0:
        return ""
    told = f"{errno_name(reply.errno)} ({errno_meaning(reply.errno)})"
    return f"{Command(entry.ask.command).name}, with {told}"


def _traced(run: MadeRun, player: Player, backend: SimBackend, log: CallLog, refusal: str) -> Trace:
    recorder = Recorder()
    backend.world.observer = recorder
    try:
        reply, fault = _play(run, player, backend)
    finally:
        backend.world.observer = None
    if recorder.last is None:
        errno = reply.errno if reply else 0
        why = f"it had refused {refusal}" if refusal else f"{errno_name(errno)} ({errno_meaning(errno)})"
        raise TraceError(f"The simulator refused to make the run again: {why}.")
    answer = Answer.of(recorder.last, reply, stopped=fault is not None)
    return trace_of(
        recorder.last,
        packet=run.packet,
        output=answer.output,
        note=_note(run, log),
        differences=tuple(differences(run, answer, log.name, recorder.last.program.type)),
    )


def _note(run: MadeRun, log: CallLog) -> str:
    if not log.simulator:
        return f"made again on the simulator after the {log.name}"
    raced = run.moment is not None and run.moment.raced
    return "made again alone, while it ran at the same time as others and may have seen other values" if raced else ""


def _play(entry: Entry | Made, player: Player, backend: SimBackend) -> tuple[Reply | None, FaultError | None]:
    """Play an entry; a run of a simulated kernel at the time, on the CPU and with the random numbers that it had."""
    if isinstance(entry, MadeRun) and entry.moment is not None:
        _set(backend, entry.moment)
    try:
        played = player.play(entry.entry() if isinstance(entry, Made) else entry)
    except FaultError as fault:
        return None, fault
    return played.reply, None


def _set(backend: SimBackend, moment: Moment) -> None:
    now, backend.clock.epoch = moment.clock
    if now > backend.clock.now:
        backend.clock.advance(nanoseconds=now - backend.clock.now)
    backend.clock.now = now
    backend.cpu = moment.cpu
    backend.random.restore(moment.chance)


def _same_machine(log: CallLog) -> SimBackend:
    """Make a simulated kernel of the same shape, in the same world as far as it is known."""
    recorded = log.simulator
    if recorded is None:
        machine = log.journal.machine
        return SimBackend(Machine(machine.possible_cpus, log.byteorder, machine.release))
    made = SimBackend(recorded.kernel.machine)
    for name in WORLD:
        setattr(made.world, name, copy.deepcopy(getattr(recorded.world, name)))
    made.world.helpers.update(recorded.world.helpers)
    made.world.kfuncs.update(recorded.world.kfuncs)
    made.kernel.types = made.world.types = recorded.kernel.types
    return made
