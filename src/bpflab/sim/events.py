"""What programs did to the world around them, as values that a test can assert on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a program did; `program` is its name."""

    program: str


@dataclass(frozen=True, slots=True)
class Printk(Event):
    """A line for the trace pipe (trace_printk, trace_vprintk), formatted."""

    text: str


@dataclass(frozen=True, slots=True)
class Redirect(Event):
    """A packet that a program sent elsewhere by the verdict REDIRECT.

    `target` says where: an interface's index for plain redirects, the map's name and index for redirects by a
    map. `helper` is the one that chose it; `flags` and `next_hop` (an address, from redirect_neigh) are what it was
    given.
    """

    helper: str
    ifindex: int = 0
    map: str = ""
    index: int = 0
    flags: int = 0
    packet: bytes = b""
    next_hop: str = ""


@dataclass(frozen=True, slots=True)
class Clone(Event):
    """A copy of the packet sent to an interface by clone_redirect."""

    ifindex: int
    flags: int
    packet: bytes


@dataclass(frozen=True, slots=True)
class PerfEvent(Event):
    """A record given to perf_event_output: the map, the CPU's index in it, the bytes, and what was answered."""

    map: str
    index: int
    data: bytes
    answer: int = 0


@dataclass(frozen=True, slots=True)
class UnsetRead(Event):
    """A read of a field of a kernel's object that the test did not give; it was zero."""

    structure: str
    field: str
