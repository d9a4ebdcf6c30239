"""A capture through a program: what became of each packet, how often each verdict came, where two backends differ."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from bpflab.errors import ArgumentError, BpfError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bpflab.programs.program import Program
    from bpflab_packets.pcapng import Captured


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one packet: its number in the capture (from 1), verdict by name, and the packet that came out.

    `refused` says why the backend did not run the program on it; the verdict is then `refused`.
    """

    number: int
    frame: bytes
    verdict: str
    output: bytes = b""
    comments: tuple[str, ...] = ()
    refused: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether another packet came out than went in."""
        return not self.refused and self.output != self.frame


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A verdict, how many packets had it, how many of them were changed, and the first of them."""

    verdict: str
    count: int
    changed: int
    first: Outcome


def read_capture(path: str | Path) -> list[Captured]:
    """Return the packets of a pcap or pcapng file of Ethernet frames; ArgumentError when it is none."""
    from bpflab_packets.pcapng import CaptureError, read_packets

    try:
        return read_packets(path)
    except CaptureError as error:
        raise ArgumentError(str(error)) from error


def replay_capture(program: Program, packets: Iterable[Captured | bytes]) -> list[Outcome]:
    """Run a program on each packet, one after the other; what a packet changes in maps, the next one finds."""
    return [_outcome(program, number, packet) for number, packet in enumerate(packets, 1)]


def verdict_table(outcomes: Iterable[Outcome]) -> list[VerdictRow]:
    """Count outcomes by verdict, the most frequent first."""
    by_verdict = dict[str, list[Outcome]]()
    for outcome in outcomes:
        by_verdict.setdefault(outcome.verdict, []).append(outcome)
    rows = [
        VerdictRow(verdict, len(same), sum(each.is_changed for each in same), same[0])
        for verdict, same in by_verdict.items()
    ]
    return sorted(rows, key=lambda row: -row.count)


def disagreements(one: Sequence[Outcome], other: Sequence[Outcome]) -> list[tuple[Outcome, Outcome]]:
    """Return the outcomes of two runs of one capture whose verdict or packet differ, in pairs."""
    return [
        (left, right)
        for left, right in zip(one, other, strict=True)
        if (left.verdict, left.output) != (right.verdict, right.output)
    ]


def annotated(outcomes: Iterable[Outcome], program: str) -> list[Captured]:
    """Return the packets that came out (where none did, those that went in), each with its verdict as a comment."""
    from bpflab_packets.pcapng import Captured, Direction

    return [
        Captured(
            outcome.frame if outcome.refused else outcome.output or outcome.frame,
            (*outcome.comments, f"packet {outcome.number} through {program}: {_told(outcome)}"),
            Direction.OUT if outcome.output else Direction.IN,
        )
        for outcome in outcomes
    ]


def _outcome(program: Program, number: int, packet: Captured | bytes) -> Outcome:
    frame, comments = (packet, ()) if isinstance(packet, bytes) else (packet.frame, packet.comments)
    try:
        result = program.run(frame)
    except BpfError as error:
        return Outcome(number, frame, "refused", b"", comments, str(error))
    action = result.action
    verdict = action.name if isinstance(action, IntEnum) else str(action)
    return Outcome(number, frame, verdict, result.data, comments)


def _told(outcome: Outcome) -> str:
    if outcome.refused:
        return f"refused: {outcome.refused}"
    return outcome.verdict + (", changed" if outcome.is_changed else "")
