"""The way of a packet through a simulated machine, as values: which programs met it, and where it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enum import IntEnum


class Hook(StrEnum):
    """Where a program met the packet."""

    XDP = "xdp"
    INGRESS = "tc ingress"
    EGRESS = "tc egress"
    DEVMAP = "devmap entry"
    CPUMAP = "cpumap entry"


class Fate(StrEnum):
    """How a packet's way ended."""

    STACK = "went to the stack"
    LEFT = "left the machine"
    DROPPED = "was dropped"


@dataclass(frozen=True, slots=True)
class Hop:
    """One program that ran: where, on which CPU, what it said, the packet before and after it."""

    hook: Hook
    interface: str
    program: str
    verdict: IntEnum | int
    before: bytes
    packet: bytes
    cpu: int = 0

    def __str__(self) -> str:
        verdict = getattr(self.verdict, "name", self.verdict)
        return f"{self.interface}, {self.hook}: {self.program} says {verdict}"


@dataclass(frozen=True, slots=True)
class End:
    """Where a packet, or a copy of it, ended; `reason` says why it was dropped."""

    fate: Fate
    interface: str
    packet: bytes
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.interface}: the packet {self.fate}{f': {self.reason}' if self.reason else ''}"


@dataclass(slots=True)
class Way:
    """All that happened to a packet: the programs in the order in which they ran, and every end."""

    hops: list[Hop] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)

    @property
    def end(self) -> End:
        """The end of a packet that was not copied."""
        if len(self.ends) != 1:
            raise ValueError(f"The packet has {len(self.ends)} ends; look at `ends`.")
        return self.ends[0]

    @property
    def packet(self) -> bytes:
        """The packet as it was at its end."""
        return self.end.packet

    @property
    def programs(self) -> list[str]:
        """The names of the programs that ran."""
        return [hop.program for hop in self.hops]

    def __str__(self) -> str:
        return "\n".join(map(str, [*self.hops, *self.ends]))
