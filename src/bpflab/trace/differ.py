"""What a run answered, and how another backend's answer to the same run differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from bpflab.abi.verdicts import verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.prog_types import ProgType
    from bpflab.backend.journal_entry import Reply
    from bpflab.trace.made import MadeRun
    from bpflab.trace.recorder import Recording

RETVAL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Answer:
    """A run's answer: retval, packet and context that came out, and whether it was stopped for an unsafe act."""

    retval: int
    output: bytes
    ctx: bytes
    stopped: bool = False

    @classmethod
    def of(cls, recorded: Recording, reply: Reply | None, *, stopped: bool) -> Self:
        """Gather what the simulator answered to a run that was recorded."""
        outputs = reply.outputs if reply else {}
        retval = (recorded.retval or 0) & RETVAL
        return cls(retval, outputs.get("data_out", b""), outputs.get("ctx_out", b""), stopped)


def differences(run: MadeRun, answer: Answer, backend: str, prog_type: ProgType) -> Iterator[str]:
    """Say what a run answered otherwise than its repetition on the simulator, one sentence each."""
    who = "the kernel" if backend == "kernel" else "the run itself"
    if run.stopped != answer.stopped:
        stopped = {True: "stopped", False: "not stopped"}
        yield f"{who} was {stopped[run.stopped]}, the one shown here was {stopped[answer.stopped]}."
        return
    if run.stopped:
        return
    if run.errno:
        yield f"{who} was refused with errno {run.errno}, the one shown here was not."
        return
    for what, one, other in (
        ("returned", _verdict(prog_type, run.retval), _verdict(prog_type, answer.retval)),
        ("gave out the packet", _packet(run.output, answer.output), _packet(answer.output, run.output)),
        ("gave out the context", _packet(run.ctx_output, answer.ctx), _packet(answer.ctx, run.ctx_output)),
    ):
        if one != other:
            yield f"{who} {what} {one}, the simulator {other}."


def _verdict(prog_type: ProgType, retval: int) -> str:
    verdict = verdict_of(prog_type, retval)
    return str(retval) if verdict is None else f"{type(verdict).__name__}.{verdict.name}"


def _packet(mine: bytes, other: bytes) -> str:
    """Write bytes from where they begin to differ from others."""
    if mine == other:
        return ""
    at = next((at for at, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), min(len(mine), len(other)))
    return f"of {len(mine)} bytes with {mine[at : at + 8].hex(' ') or 'nothing'} at {at}"
