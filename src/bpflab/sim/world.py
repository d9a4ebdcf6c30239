"""The world around a simulated kernel: what a test puts there, and what programs did to it.

Nothing here reaches the machine's real network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from bpflab.abi.btf import BtfKind
from bpflab.abi.kfuncs import flags_of
from bpflab.arguments import check_integer
from bpflab.errors import ArgumentError
from bpflab.sim.kernel_types import KernelTypes
from bpflab.sim.memory import Memory
from bpflab.sim.received import Received
from bpflab.sim.region import RegionKind
from bpflab.sim.topology import Interface, Topology, index_of

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


@dataclass(slots=True)
class World(Topology):
    """What is around programs, and `events` in the order they happened.

    `helpers` replaces helpers: a function `(env, *arguments) -> int` by helper name, called with the
    arguments as the helper's own function gets them; `kfuncs` does the same for kernel functions, see `kfunc`.
    `memory`, `types` and `cpus` are the kernel's, `variables` those of its variables that are laid out, by name;
    `network` makes what sends a packet. `sockets` are those that lookups find;
    `packet_socket` is the one that the packets of socket buffer programs belong to: one that each run makes for its
    own, as the kernel's test runs do, one of `sockets`, or None.
    """

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
