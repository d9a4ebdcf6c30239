"""Sockets of the simulated world: `world.add_socket(protocol="tcp", local=("10.0.0.1", 80), state="listen")`.

A socket has the address that programs get for it. What they read there is `struct bpf_sock`; behind the helper
tcp_sock stands `struct bpf_tcp_sock`, behind the casts skc_to_* a structure of the kernel, laid out by its BTF.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bpflab.abi.context import layout
from bpflab.abi.sockets import NO_QUEUE, NOT_FULL, Family, SocketProtocol, SocketState, SocketType
from bpflab.arguments import near_names
from bpflab.errors import ArgumentError
from bpflab.sim.memory import RegionKind
from bpflab.sim.objects import KernelObject

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from bpflab.sim.cgroups import Cgroup
    from bpflab.sim.memory import Memory, Region, Scope
    from bpflab.sim.structs import KernelStruct

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address
    Endpoint = tuple[str | Address, int]

SOCK: Final = layout("bpf_sock")
TCP_SOCK: Final = layout("bpf_tcp_sock")
ANY_IPV4: Final = ipaddress.IPv4Address(0)
ANY_IPV6: Final = ipaddress.IPv6Address(0)
IPV6_AS_IPV4: Final = ipaddress.IPv4Address("127.0.0.6")
"""What stands for an address of IPv6 where one of IPv4 is kept (LOOPBACK4_IPV6 of net/ipv6.h)."""
FIRST_COOKIE: Final = 1 << 30
"""Sockets of the process have small cookies and descriptors; cookies of the world begin here."""
_PROTOCOLS: Final[Mapping[str, tuple[int, int]]] = {
    "tcp": (SocketProtocol.TCP, SocketType.STREAM),
    "mptcp": (SocketProtocol.MPTCP, SocketType.STREAM),
    "udp": (SocketProtocol.UDP, SocketType.DGRAM),
    "unix": (0, SocketType.STREAM),
}
_STATES: Final = {state.name.lower(): state for state in SocketState}


class Socket(KernelObject):
    """A socket. Setting an attribute changes what programs read.

    `local` and `remote` are pairs of an address and a port; `remote` is zeros where there is none. `ifindex` is the
    interface that it is bound to. `netns` is the number of its network namespace, None for the machine's own.
    `cookie` tells it from others. `reuseport`: it shares its port with others that do. `listener` is the one that a
    connection request came to; one with `syn_flood` has its queue of requests full. `tcp` has the fields of `struct
    bpf_tcp_sock` by name, `structs` what the casts skc_to_* give, by the structure's name. `options` are those set by
    setsockopt, by level and name.
    """

    kind: ClassVar[str] = "socket"

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - each attribute's own type
        super().__init__()
        self.family: int = 0
        self.type: int = 0
        self.protocol: int = 0
        self.local: tuple[Address, int] = (ANY_IPV4, 0)
        self.remote: tuple[Address, int] = (ANY_IPV4, 0)
        self.state: int = SocketState.CLOSE
        self.mark: int = 0
        self.priority: int = 0
        self.uid: int = 0
        self.ifindex: int = 0
        self.rx_queue: int = NO_QUEUE
        self.cookie: int = 0
        self.netns: int | None = None
        self.reuseport: bool = False
        self.v6only: bool = False
        self.cgroup: Cgroup | None = None
        """The cgroup that it was made in (`world.cgroup`), None for the root."""
        self.classid: int = 0
        self.listener: Socket | None = None
        self.syn_flood: bool = False
        self.cookies_sent: int | None = None
        """When a listener sent its last SYN cookie, in nanoseconds of the monotonic clock."""
        self.tcp: dict[str, int] = {}
        self.structs: dict[str, KernelStruct] = {}
        self.options: dict[tuple[int, int], bytes] = {}
        self.region: Region | None = None
        self._order = "<"
        self._tcp_region: Region | None = None
        for name, value in values.items():
            if name not in self.__dict__ or name in _INNER:
                raise ArgumentError(f"A socket has no {name!r}{near_names(name, set(self.__dict__) - _INNER)}")
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - the attribute's own type
        object.__setattr__(self, name, value)
        if name in _SHOWN and self.__dict__.get("region") is not None:
            self._write()

    def __repr__(self) -> str:
        protocol = next((name for name, row in _PROTOCOLS.items() if row[0] == self.protocol), str(self.protocol))
        state = SocketState(self.state).name.lower() if self.state in set(SocketState) else str(self.state)
        return f"<{protocol} socket {_shown(self.local)} to {_shown(self.remote)}, {state}, cookie {self.cookie:#x}>"

    @property
    def address(self) -> int:
        """Where programs find it."""
        if self.region is None:
            raise ArgumentError("This socket is in no world; make it by world.add_socket().")
        return self.region.address

    @property
    def is_full(self) -> bool:
        """Whether it is more than a connection request or one in TIME_WAIT."""
        return self.state not in NOT_FULL

    def place(self, memory: Memory | Scope, order: str) -> None:
        """Give it an address in the kernel's memory, or in that of one run."""
        data = bytearray(SOCK.size)
        self._order = "<" if order == "little" else ">"
        self.region = memory.add(RegionKind.SOCKET, data, name="sock", writable=False, owner=self)

    def tcp_address(self, memory: Memory) -> int:
        """Return where its `struct bpf_tcp_sock` is, written as `tcp` is now; ArgumentError for a field it has not."""
        if self._tcp_region is None:
            data = bytearray(TCP_SOCK.size)
            self._tcp_region = memory.add(RegionKind.SOCKET, data, name="tcp_sock", writable=False, owner=self)
        for name, value in self.tcp.items():
            _put(self._tcp_region.data, TCP_SOCK.field(name), self._order, value)
        return self._tcp_region.address

    def ipv4(self, address: Address) -> Address | None:
        """Return one of its addresses as IPv4 sees it: itself, or that behind ::ffff:0:0/96; None for others."""
        if isinstance(address, ipaddress.IPv4Address):
            return address
        if self.v6only:
            return None
        return ANY_IPV4 if address == ANY_IPV6 else address.ipv4_mapped

    def ipv6(self, address: Address) -> Address | None:
        """Return one of its addresses as IPv6 sees it; None for a socket of IPv4."""
        return address if self.family == Family.INET6 else None

    def _write(self) -> None:
        assert self.region is not None
        values = {
            "bound_dev_if": self.ifindex,
            "family": self.family,
            "type": self.type,
            "protocol": self.protocol & 0xFFFF,
            "mark": self.mark,
            "priority": self.priority,
            "src_port": self.local[1],
            "state": self.state,
            "rx_queue_mapping": self.rx_queue,
        }
        for name, value in values.items():
            _put(self.region.data, SOCK.field(name), self._order, value)
        dst_port = SOCK.field("dst_port").offset
        self.region.data[dst_port : dst_port + 2] = self.remote[1].to_bytes(2, "big")
        for side, (address, _port) in (("src", self.local), ("dst", self.remote)):
            self._write_address(side, address)

    def _write_address(self, side: str, address: Address) -> None:
        assert self.region is not None
        ip4, ip6 = SOCK.field(f"{side}_ip4"), SOCK.field(f"{side}_ip6")
        mapped = IPV6_AS_IPV4 if address.version == 6 and address != ANY_IPV6 else ANY_IPV4
        self.region.data[ip4.offset : ip4.end] = (self.ipv4(address) or mapped).packed
        self.region.data[ip6.offset : ip6.end] = address.packed if address.version == 6 else bytes(16)


_INNER: Final = frozenset({"id", "references", "users", "region", "_tcp_region", "_order"})
_SHOWN: Final = frozenset(
    {
        *("region", "family", "type", "protocol", "local", "remote", "state", "mark", "priority"),
        *("ifindex", "rx_queue", "v6only"),
    }
)
"""Attributes that programs read directly."""


def make_socket(
    protocol: str = "tcp",
    local: Endpoint | None = None,
    remote: Endpoint | None = None,
    state: str | int | None = None,
    **options: Any,  # noqa: ANN401 - Socket's attributes
) -> Socket:
    """Make a socket from what a test says of it; ArgumentError for what no socket is."""
    if protocol not in _PROTOCOLS:
        raise ArgumentError(f"A socket of protocol {protocol!r} was asked for; expected {', '.join(_PROTOCOLS)}.")
    number, kind = _PROTOCOLS[protocol]
    ends = [_endpoint(local), _endpoint(remote)]
    versions = {end[0].version for end in ends if end is not None}
    if len(versions) > 1:
        raise ArgumentError(f"A socket from {local} to {remote}: expected both addresses of one version.")
    version = 6 if 6 in versions else 4
    nowhere = (ANY_IPV6 if version == 6 else ANY_IPV4, 0)
    family = Family.UNIX if protocol == "unix" else Family.INET6 if version == 6 else Family.INET
    found = {"family": family, "type": kind, "protocol": number, "state": _state(state, protocol, remote)}
    return Socket(**{**found, "local": ends[0] or nowhere, "remote": ends[1] or nowhere, **options})


def socket_at(memory: Memory, address: int) -> Socket | None:
    """Return the socket that a pointer of a program means: to itself, its bpf_tcp_sock, or a cast of it."""
    region = memory.find(address)
    return region.owner if region is not None and isinstance(region.owner, Socket) else None


def identity(memory: Memory, address: int) -> Hashable:
    """Return what tells a socket from others: its cookie, or the address of whatever stands for one."""
    found = socket_at(memory, address)
    return address if found is None else found.cookie


def _state(state: str | int | None, protocol: str, remote: Endpoint | None) -> int:
    if state is None:
        listens = protocol in {"tcp", "mptcp"} and remote is None
        return SocketState.LISTEN if listens else SocketState.ESTABLISHED if remote else SocketState.CLOSE
    if isinstance(state, str):
        if state.lower() not in _STATES:
            raise ArgumentError(f"A socket's state cannot be {state!r}{near_names(state, _STATES)}")
        return _STATES[state.lower()]
    return state


def _endpoint(given: Any) -> tuple[Address, int] | None:  # noqa: ANN401 - checked here
    if given is None:
        return None
    try:
        address, port = given
        found = ipaddress.ip_address(address)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{given!r} is no end of a socket ({error}); expected ('10.0.0.1', 80).") from error
    if not isinstance(port, int) or not 0 <= port <= 0xFFFF:
        raise ArgumentError(f"Port {port} of {given!r}: expected 0 to 65535.")
    return found, port


def _put(data: bytearray | memoryview, field: Any, order: str, value: int) -> None:  # noqa: ANN401 - ContextField
    number = value if field.signed else value & ((1 << 8 * field.size) - 1)
    struct.pack_into(order + field.code, data, field.offset, number)


def _shown(end: tuple[Address, int]) -> str:
    return f"{f'[{end[0]}]' if end[0].version == 6 else end[0]}:{end[1]}"
