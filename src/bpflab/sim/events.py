"""What programs did to the world around them, as values that a test can assert on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.sim.sockets import Socket
    from bpflab.sim.tunnel import Tunnel


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


@dataclass(frozen=True, slots=True)
class Bind(Event):
    """A source address that the helper bind gave a socket before it connects; port 0 is chosen by the kernel."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class SocketRedirect(Event):
    """Bytes that a program sent to another socket of a SOCKMAP or SOCKHASH, by the verdict SK.PASS.

    `socket` is the world's, None for one of the process, and `cookie` its own; `key` is where the map has it, `ingress`
    whether it receives the bytes rather than sends them.
    """

    helper: str
    map: str
    key: bytes
    cookie: int
    ingress: bool
    data: bytes
    socket: Socket | None = None


@dataclass(frozen=True, slots=True)
class Signal(Event):
    """A signal sent to the current task (send_signal), or with `thread` to that thread of it alone."""

    pid: int
    signal: int
    thread: bool = False


@dataclass(frozen=True, slots=True)
class OverrideReturn(Event):
    """A probed function that a program made return a value without running (override_return)."""

    value: int


@dataclass(frozen=True, slots=True)
class InfraredKey(Event):
    """What a decoder of infrared signals reported: a key, the last key again, or a movement of the pointer."""

    protocol: int = 0
    scancode: int = 0
    toggle: int = 0
    repeat: bool = False
    movement: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class SocketChosen(Event):
    """The socket that a program chose for a packet or connection: by sk_assign, or sk_select_reuseport.

    `cookie` is the socket's, 0 for none; `packet` is empty where the program sees addresses alone.
    """

    helper: str
    cookie: int
    packet: bytes = b""


@dataclass(frozen=True, slots=True)
class TunnelSet(Event):
    """The tunnel that a program said a packet goes through, each time that it gave a key or options."""

    tunnel: Tunnel
