"""The network around a simulated kernel: interfaces, routes, neighbours. A part of the world, which a test sets."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

from bpflab.abi.errno import Errno
from bpflab.errors import ArgumentError
from bpflab.sim.refusal import Refusal
from bpflab.sim.surroundings import Surroundings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAIN_TABLE = 254


@dataclass(slots=True)
class Interface:
    """A network interface: what programs can ask of it."""

    ifindex: int
    name: str
    mac: bytes = bytes(6)
    broadcast: bytes = b"\xff" * 6
    mtu: int = 1500
    rx_queues: int = 1
    forwarding: bool = True
    up: bool = True
    peer: int = 0
    """The interface at which packets arrive that leave by this one; 0 when they leave the machine."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route: packets to `network` leave by `ifindex`, by way of `gateway` if there is one.

    `kind` is `unicast`, `blackhole`, `unreachable` or `prohibit`; `source` the preferred source address; `mtu` 0 is
    the interface's own; for IPv4 the kernel heeds another one only if it is locked.
    """

    network: Network
    ifindex: int
    gateway: Address | None = None
    kind: str = "unicast"
    source: Address | None = None
    mtu: int = 0
    table: int = MAIN_TABLE
    metric: int = 0


@dataclass(slots=True)
class Topology(Surroundings):
    """Interfaces by index, routes, and MAC addresses of neighbours by interface and address."""

    interfaces: dict[int, Interface] = field(
        default_factory=lambda: {1: Interface(1, "lo", broadcast=bytes(6), mtu=65536)}
    )
    routes: list[Route] = field(default_factory=list)
    neighbours: dict[tuple[int, Address], bytes] = field(default_factory=dict)

    def add_interface(
        self,
        name: str,
        *,
        ifindex: int | None = None,
        mac: str | bytes = bytes(6),
        **options: Any,  # noqa: ANN401 - Interface's fields
    ) -> Interface:
        """Add an interface; its index is the next free one unless given. `mac` as text or six bytes."""
        index = ifindex if ifindex is not None else max(self.interfaces, default=0) + 1
        raw = bytes.fromhex(mac.replace(":", "")) if isinstance(mac, str) else mac
        if len(raw) != 6 or index in self.interfaces or index < 1:
            raise ArgumentError(
                f"Interface {name!r} with index {index} and MAC {mac!r}: expected a free positive index and six bytes."
            )
        self.interfaces[index] = Interface(index, name, raw, **options)
        return self.interfaces[index]

    def add_pair(self, first: str, second: str) -> tuple[Interface, Interface]:
        """Add two interfaces of which each receives what the other sends, as veth does."""
        one, other = self.add_interface(first), self.add_interface(second)
        one.peer, other.peer = other.ifindex, one.ifindex
        return one, other

    def add_route(
        self,
        network: str,
        interface: Interface | int,
        *,
        via: str | None = None,
        source: str | None = None,
        **options: Any,  # noqa: ANN401 - Route's fields
    ) -> Route:
        """Add a route to a network such as `10.0.0.0/8`, `via` a gateway."""
        route = Route(
            ipaddress.ip_network(network),
            index_of(interface),
            gateway=ipaddress.ip_address(via) if via else None,
            source=ipaddress.ip_address(source) if source else None,
            **options,
        )
        self.routes.append(route)
        return route

    def add_neighbour(self, address: str, mac: str, interface: Interface | int) -> None:
        """Say which MAC address an IP address has on an interface."""
        self.neighbours[index_of(interface), ipaddress.ip_address(address)] = bytes.fromhex(mac.replace(":", ""))

    def queues(self, ifindex: int) -> int:
        """Return how many receive queues an interface has; ENODEV when there is none of that index."""
        if ifindex not in self.interfaces:
            raise Refusal(Errno.ENODEV)
        return self.interfaces[ifindex].rx_queues


def index_of(interface: Interface | int) -> int:
    """Return the index of an interface given as itself or by its index."""
    return interface if isinstance(interface, int) else interface.ifindex
