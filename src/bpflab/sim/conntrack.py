"""The connections of the simulated world: put in by the test, found, made and changed by programs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.conntrack import BOTH_DIRECTIONS, PROTOCOLS, CtStatus
from bpflab.arguments import near_names
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.structs import KernelStruct
    from bpflab.sim.world import World

Endpoint = tuple[str, int]
ORIGINAL: Final = 0
REPLY: Final = 1
FAMILIES: Final = {4: 2, 16: 10}
STRUCT: Final = "nf_conn"


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction of a connection: protocol number, addresses as bytes, ports."""

    protocol: int
    source: bytes
    source_port: int
    destination: bytes
    destination_port: int

    def reversed(self) -> Flow:
        """Give the other direction."""
        return replace(
            self,
            source=self.destination,
            source_port=self.destination_port,
            destination=self.source,
            destination_port=self.source_port,
        )


@dataclass(frozen=True, slots=True)
class Zone:
    """A number that keeps equal flows apart, and the directions that it is for, as bits."""

    id: int = 0
    directions: int = BOTH_DIRECTIONS

    def seen(self, direction: int) -> int:
        """Return the number that counts in a direction."""
        return self.id if self.directions >> direction & 1 else 0


class Connection:
    """A connection: the flow of each direction, when it ends, and the `struct nf_conn` that programs see.

    `mark` and `status` are what programs see and change; `expires` is in nanoseconds of the simulated clock, None for
    never.
    """

    def __init__(self, struct: KernelStruct, original: Flow, zone: Zone) -> None:
        self.struct = struct
        self.flows = [original, original.reversed()]
        self.zone = zone
        self.expires: int | None = None
        self.holders = 1
        self.write_flows()

    def __repr__(self) -> str:
        flow = self.flows[ORIGINAL]
        name = {number: name for name, number in PROTOCOLS.items()}.get(flow.protocol, str(flow.protocol))
        ends = f"{_text(flow.source, flow.source_port)} -> {_text(flow.destination, flow.destination_port)}"
        return f"<Connection {name} {ends} {self.status!r}>"

    @property
    def mark(self) -> int:
        """The number that programs give a connection."""
        return int(self.struct.mark)

    @property
    def status(self) -> CtStatus:
        """What is known of the connection."""
        return CtStatus(self.struct.status)

    @status.setter
    def status(self, value: int) -> None:
        self.struct.status = int(value)

    def write_flows(self) -> None:
        """Write both directions into the structure."""
        for direction, (part, flow) in enumerate(zip(self.struct.tuplehash, self.flows, strict=True)):
            _write(part.tuple, flow, direction)


class Conntrack:
    """The table of connections: `world.conntrack.add("tcp", ("10.0.0.1", 40000), ("10.0.0.2", 80), mark=7)`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._connections: list[Connection] = []
        self.given: dict[int, Connection] = {}
        """The connections that programs were given, by the addresses of their structures."""

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._connections))

    def __len__(self) -> int:
        return len(self._connections)

    def add(
        self,
        protocol: str,
        source: Endpoint,
        destination: Endpoint,
        *,
        status: int = CtStatus.SEEN_REPLY | CtStatus.ASSURED,
        zone: int = 0,
        **fields: Any,  # noqa: ANN401 - those of struct nf_conn
    ) -> Connection:
        """Put in a connection; `fields` are more of `struct nf_conn`, such as `mark`. It does not expire."""
        if protocol not in PROTOCOLS:
            raise ArgumentError(f"{protocol!r} is no protocol of connections.{near_names(protocol, PROTOCOLS)}")
        made = self.allocate(_flow(PROTOCOLS[protocol], source, destination), Zone(zone))
        made.struct.fill(fields)
        made.status = status | CtStatus.CONFIRMED
        self._connections.append(made)
        return made

    def allocate(self, flow: Flow, zone: Zone) -> Connection:
        """Make a connection that is not in the table yet."""
        struct = self.world.struct(STRUCT)
        struct.forgive()
        struct.fill({"ct_general.use.refs.counter": 1, "zone.id": zone.id, "zone.dir": zone.directions})
        return Connection(struct, flow, zone)

    def find(self, flow: Flow, zone: Zone, now: int) -> tuple[Connection, int] | None:
        """Return the connection that a flow belongs to, and its direction; those that expired are forgotten."""
        for each in self:
            if each.expires is not None and each.expires <= now:
                self._connections.remove(each)
                continue
            for direction in (ORIGINAL, REPLY):
                if each.flows[direction] == flow and each.zone.seen(direction) == zone.seen(direction):
                    return each, direction
        return None

    def insert(self, made: Connection, now: int) -> bool:
        """Put in a connection that was allocated; False if another one has a flow of it."""
        if any(self.find(flow, made.zone, now) for flow in made.flows):
            return False
        self._connections.append(made)
        return True

    def free(self, made: Connection) -> None:
        """Take the structure of a connection out of memory."""
        region = self.world.memory.find(made.struct.address)
        if region is not None:
            self.world.memory.retire(region)


def _flow(protocol: int, source: Endpoint, destination: Endpoint) -> Flow:
    ends = [(ipaddress.ip_address(address).packed, port) for address, port in (source, destination)]
    if len(ends[0][0]) != len(ends[1][0]):
        raise ArgumentError(f"{source[0]} and {destination[0]} are of two families; a connection has one.")
    return Flow(protocol, *ends[0], *ends[1])


def _write(part: KernelStruct, flow: Flow, direction: int) -> None:
    part.src.u3.fill({"all": [0] * 4})
    part.dst.u3.fill({"all": [0] * 4})
    part.fill({"src.l3num": FAMILIES[len(flow.source)], "dst.protonum": flow.protocol, "dst.dir": direction})
    part.fill({"src.u.all": flow.source_port.to_bytes(2, "big"), "dst.u.all": flow.destination_port.to_bytes(2, "big")})
    name = "ip" if len(flow.source) == 4 else "ip6"
    for end, address in (("src", flow.source), ("dst", flow.destination)):
        words = [address[at : at + 4] for at in range(0, len(address), 4)]
        part.fill({f"{end}.u3.{name}": words[0] if name == "ip" else words})


def _text(address: bytes, port: int) -> str:
    return f"{ipaddress.ip_address(address)}:{port}"
