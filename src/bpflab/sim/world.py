"""The world around a simulated kernel: interfaces, routes, neighbours, and what programs did to it.

A test sets the first three and reads the last. Nothing here reaches the machine's real network.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from bpflab.abi.btf import BtfKind
from bpflab.abi.errno import Errno
from bpflab.abi.kfuncs import flags_of
from bpflab.arguments import check_integer
from bpflab.errors import ArgumentError
from bpflab.sim.kernel_types import KernelTypes
from bpflab.sim.memory import Memory
from bpflab.sim.received import Received
from bpflab.sim.refusal import Refusal
from bpflab.sim.region import RegionKind
from bpflab.sim.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import SupportsBytes

    from bpflab.sim.conntrack import Conntrack
    from bpflab.sim.events import Event
    from bpflab.sim.maps.storage import StorageMap
    from bpflab.sim.network import Network as PacketNetwork
    from bpflab.sim.observe import Observer
    from bpflab.sim.path import Way
    from bpflab.sim.sockets import Endpoint, Socket
    from bpflab.sim.structs import KernelStruct
    from bpflab.sim.tunnel import Tunnel
    from bpflab.sim.variables import KernelVariable
    from bpflab.sim.xfrm import XfrmState

EventT = TypeVar("EventT", bound="Event")
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
class World(Surroundings):
    """Interfaces by index, routes, neighbours by interface and address, and `events` in the order they happened.

    `helpers` replaces helpers: a function `(env, *arguments) -> int` by helper name, called with the
    arguments as the helper's own function gets them; `kfuncs` does the same for kernel functions, see `kfunc`.
    `memory`, `types` and `cpus` are the kernel's, `variables` those of its variables that are laid out, by name;
    `network` makes what sends a packet. `sockets` are those that lookups find;
    `packet_socket` is the one that the packets of socket buffer programs belong to: one that each run makes for its
    own, as the kernel's test runs do, one of `sockets`, or None.
    """

    interfaces: dict[int, Interface] = field(
        default_factory=lambda: {1: Interface(1, "lo", broadcast=bytes(6), mtu=65536)}
    )
    routes: list[Route] = field(default_factory=list)
    neighbours: dict[tuple[int, Address], bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    helpers: dict[str, Callable[..., int | None]] = field(default_factory=dict)
    observer: Observer | None = None
    kfuncs: dict[str, Callable[..., int | None]] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory, repr=False)
    types: KernelTypes = field(default_factory=lambda: KernelTypes(None, "little"), repr=False)
    network: Callable[[], PacketNetwork] | None = field(default=None, repr=False)
    received: Received = field(default_factory=Received)
    cpus: int = field(default=1, repr=False)
    variables: dict[str, KernelVariable] = field(default_factory=dict, repr=False)
    _conntrack: Conntrack | None = field(default=None, repr=False)

    @property
    def conntrack(self) -> Conntrack:
        """The table of connections that programs look up and change."""
        from bpflab.sim.conntrack import Conntrack

        if self._conntrack is None:
            self._conntrack = Conntrack(self)
        return self._conntrack

    sockets: list[Socket] = field(default_factory=list)
    packet_socket: Socket | Literal["own"] | None = "own"
    run_socket: Socket | None = field(default=None, repr=False)
    tunnel: Tunnel | None = None
    """The tunnel that the packets of runs came through."""
    route_realm: int = 0
    """The realm of the route of packets that are run on; and `xfrm` what IPsec did to them, the outermost first."""
    xfrm: Sequence[XfrmState] = ()
    process_sockets: dict[int, Socket] = field(default_factory=dict, repr=False)
    at_ingress: bool = False
    """Whether tc programs that are run count as at ingress, where sk_assign is to be had; `send` knows by itself."""
    run_storage: list[StorageMap] = field(default_factory=list, repr=False)
    netns_cookie: int = 1
    tcp_syncookies: int = 1
    """net.ipv4.tcp_syncookies: 0 never, 1 when a listener's queue is full, 2 always."""

    def struct(self, name: str, /, *, strict: bool = False, **values: Any) -> KernelStruct:  # noqa: ANN401 - the fields' own
        """Lay out an object of a kernel's type: `struct("task_struct", pid=7, comm="curl", real_parent=other)`.

        A field that a program reads and that was not given is 0, with an UnsetFieldWarning, or with `strict` a fault.
        """
        from bpflab.sim.structs import KernelStruct

        btf = self.types.required(f"struct {name}")
        made = KernelStruct(self, btf, btf.require(name, BtfKind.STRUCT, BtfKind.UNION), strict=strict)
        made.fill(values)
        return made

    def variable(self, name: str, value: Any = None, /, *, cpu: int = 0, **fields: Any) -> Any:  # noqa: ANN401 - its own type
        """Set a variable of the kernel, and return it: `variable("runqueues", cpu=1, nr_running=3)`.

        A structure is set by its fields and comes as an object that has them; any other variable by `value`. `cpu` says
        whose copy of a per-CPU variable. What no test sets is zero.
        """
        from bpflab.sim.variables import variable_of

        check_integer("cpu", cpu, 0, self.cpus - 1)
        found = variable_of(self, name)
        if fields and not found.is_struct:
            raise ArgumentError(f"Variable {name!r} has no fields; give its value: world.variable({name!r}, 1).")
        if fields or value is not None:
            found.set(cpu, fields or value)
        return found.get(cpu)

    def kernel_memory(self, data: bytes) -> int:
        """Put bytes into the kernel's memory, and return their address."""
        return self.memory.add(RegionKind.KERNEL_OBJECT, bytearray(data), name="memory").address

    def user_memory(self, data: bytes) -> int:
        """Put bytes into a process's memory, and return their address: probe_read_user and copy_from_user find them."""
        return self.memory.add(RegionKind.USER, bytearray(data), name="user memory").address

    def read(self, address: int, size: int) -> bytes:
        """Return bytes at an address of the simulated kernel: what a program wrote into memory that the test laid out.

        ArgumentError where nothing is.
        """
        from bpflab.sim.fault import Fault

        try:
            return self.memory.read(int(address), size)
        except Fault as fault:
            raise ArgumentError(f"{size} bytes at {int(address):#x} cannot be read: {fault}.") from None

    def kfunc(self, prototype: str, function: Callable[..., int | None], *flags: str) -> None:
        """Add a kernel function, or replace one: `kfunc("int bpf_score(u64 weight)", score)`.

        `function` is called as `(env, *arguments)`: integers, pointers as addresses. `flags` are words such as
        `ret_null`, `acquire`, `sleepable`. Add it before the programs that call it are loaded.
        """
        self.kfuncs[self.types.declare(prototype, flags_of(flags))] = function

    def struct_ops(self, btf: bytes, name: str) -> None:
        """Let programs implement a struct of operations that the kernel of the types does not have.

        `btf` is the BTF of an object that declares it (`read_object(path).btf`), `name` its name: `sched_ext_ops`.
        Call it before the object is loaded.
        """
        from bpflab.obj.btf import Btf

        self.types.declare_ops(Btf(btf), name)

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

    def send(self, packet: SupportsBytes, into: Interface | int, *, out: bool = False, cpu: int = 0) -> Way:
        """Let a packet arrive at an interface, or with `out` leave by it, and follow it through all programs.

        Programs are those that links hold at the interfaces (`lab.attach`). Redirects are followed: to interfaces, to
        the programs of devmap and cpumap entries, over pairs. The `Way` has each program that ran and each end.
        """
        from bpflab.sim.network import Packet

        index = index_of(into)
        if self.network is None or index not in self.interfaces:
            raise ArgumentError(f"There is no interface {index} to send by; add one: world.add_interface('eth0').")
        network = self.network()
        return network.send(Packet(bytes(packet), index, cpu), network.egress if out else network.arrive)

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

    def add_socket(
        self,
        protocol: str = "tcp",
        local: Endpoint | None = None,
        remote: Endpoint | None = None,
        state: str | int | None = None,
        **options: Any,  # noqa: ANN401 - Socket's attributes
    ) -> Socket:
        """Add a socket that lookups find: `add_socket("tcp", ("10.0.0.1", 80), state="listen", mark=7)`.

        `protocol` is tcp, udp, mptcp or unix; `state` a name such as listen, established, time_wait. Without one, a
        TCP socket listens if it has no `remote`, and is established if it has.
        """
        from bpflab.sim.sockets import FIRST_COOKIE, make_socket

        made = make_socket(protocol, local, remote, state, **options)
        made.cookie = made.cookie or FIRST_COOKIE + len(self.sockets)
        made.place(self.memory, self.memory.order)
        self.sockets.append(made)
        return made

    def queues(self, ifindex: int) -> int:
        """Return how many receive queues an interface has; ENODEV when there is none of that index."""
        if ifindex not in self.interfaces:
            raise Refusal(Errno.ENODEV)
        return self.interfaces[ifindex].rx_queues

    def helper(self, name: str) -> Callable[..., int | None]:
        """Return the function of a helper, replaced or our own; LookupError when neither is there."""
        from bpflab.sim.helpers import find_helper

        found = self.helpers.get(name) or find_helper(name)
        if found is None:
            raise LookupError(name)
        return found

    def record(self, event: Event) -> None:
        """Note what a program did."""
        self.events.append(event)

    def seen(self, kind: type[EventT]) -> list[EventT]:
        """Return the events of one kind, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]


def index_of(interface: Interface | int) -> int:
    """Return the index of an interface given as itself or by its index."""
    return interface if isinstance(interface, int) else interface.ifindex
