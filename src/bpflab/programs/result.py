"""What a test run answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.verdicts import verdict_type
from bpflab.contexts import AnyContext, context_class

if TYPE_CHECKING:
    from enum import IntEnum
    from typing import Any

    from bpflab.programs.program import Program


class RunResult:
    """The answer of one test run; everything beyond the raw answer is worked out when it is asked for.

    `retval` is the program's return value (unsigned, 32 bits), `data` the packet that came out, `duration` the mean
    time of one repetition in nanoseconds as the kernel measured it, `program` what ran.
    """

    __slots__ = ("data", "duration", "program", "raw_ctx", "retval")

    def __init__(self, program: Program, retval: int, data: bytes, duration: int, ctx: bytes | None) -> None:
        self.program = program
        self.retval = retval
        self.data = data
        self.duration = duration
        self.raw_ctx = ctx

    @property
    def action(self) -> IntEnum | int:
        """The verdict, as the enum of the program's type; the plain retval where it has no such meaning."""
        spec = self.program.spec
        verdicts = verdict_type(self.program.type, None if spec is None else spec.attach_type)
        if verdicts is None:
            return self.retval
        try:
            return verdicts(signed(self.retval))
        except ValueError:
            return self.retval

    @property
    def ctx(self) -> AnyContext | None:
        """The context that came out, as the class that goes in; None when the run had none."""
        if self.raw_ctx is None:
            return None
        return context_class(self.program.type).from_bytes(self.raw_ctx, self.program.byteorder)

    @property
    def packet(self) -> Any:  # noqa: ANN401 - scapy has no types
        """The packet that came out, dissected by scapy from its Ethernet header."""
        from bpflab_packets.dissect import dissect

        return dissect(self.data)

    def __repr__(self) -> str:
        action = self.action
        verdict = f"{type(action).__name__}.{action.name}" if hasattr(action, "name") else str(action)
        return f"<{self.program.name}: {verdict}, {len(self.data)} bytes out>"


def signed(retval: int) -> int:
    """Read a retval as the signed 32-bit number that TC and negative verdicts are."""
    return retval - (1 << 32) if retval & 0x8000_0000 else retval
