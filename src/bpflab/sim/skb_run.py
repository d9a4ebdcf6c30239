"""A socket buffer as a test run makes it, and the context that it gives back (net/bpf/test_run.c)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.ethernet import EtherType
from bpflab.abi.flags import RunFlag
from bpflab.abi.run_rules import ETH_HLEN, SKB_MAX_DATA
from bpflab.sim import packet_socket
from bpflab.sim.refusal import refuse_if
from bpflab.sim.skb import Skb, ethernet_type, packet_type
from bpflab.sim.skb_context import NUMBERS, SK_BUFF, SkbContext

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.memory import Scope
    from bpflab.sim.test_run import RunInput
    from bpflab.sim.topology import Interface

LOOPBACK: Final = 1
MAX_GSO_SEGS: Final = 0xFFFF
MAX_WIRE_LEN: Final = 0x10000
GIVEN: Final = ("mark", "priority", "ingress_ifindex", "tstamp", "gso_segs", "gso_size", "hwtstamp")
"""Fields that the buffer takes from the context that came in, beside `cb` and those with a rule of their own."""
RETURNED: Final = ("mark", "priority", "ingress_ifindex", "ifindex", "tstamp", "wire_len", "gso_segs", "hwtstamp")
"""Fields that are written into that context in the end, beside `cb`."""


@dataclass(frozen=True, slots=True)
class _Network:
    """The family of a protocol's sockets, its header's length, and where its addresses are: source, destination."""

    family: int
    header: int
    source: slice
    destination: slice
    suffix: str


NETWORKS: Final = {
    EtherType.IP: _Network(2, 20, slice(12, 16), slice(16, 20), "ip4"),
    EtherType.IPV6: _Network(10, 40, slice(8, 24), slice(24, 40), "ip6"),
}
"""The protocols whose packets give the buffer's socket its addresses."""


class GivenContext:
    """`struct __sk_buff` as the caller gave it, and as it gets it back.

    There is one also if the caller only asked for what comes out.
    """

    def __init__(self, given: RunInput, order: ByteOrder) -> None:
        raw = given.ctx or b""
        refuse_if(any(raw[SK_BUFF.size :]), Errno.E2BIG)
        self.given = given.ctx is not None or given.wants_ctx
        self.bytes = bytearray(raw[: SK_BUFF.size].ljust(SK_BUFF.size, b"\0"))
        self.numbers = NUMBERS[order]

    def __getitem__(self, name: str) -> int:
        number, offset = self.numbers[name]
        value: int = number.unpack_from(self.bytes, offset)[0]
        return value

    def cover(self, name: str) -> slice:
        """Return where a field's bytes are."""
        field = SK_BUFF.field(name)
        return slice(field.offset, field.end)

    def take(self, context: SkbContext) -> bytes:
        """Copy back what a run tells, and return the whole; the other fields stay as they were given."""
        for name in (*RETURNED, "cb"):
            self.bytes[self.cover(name)] = context.raw(name)
        return bytes(self.bytes)


def build(kernel: SimKernel, scope: Scope, given: RunInput, fields: GivenContext, *, with_mac: bool) -> Skb:
    """Make the buffer and its context; refuses what the kernel refuses, in its order."""
    interface = _interface(kernel, fields["ifindex"])
    packet, protocol = given.data[ETH_HLEN:], ethernet_type(given.data)
    network = NETWORKS.get(EtherType(protocol)) if protocol in NETWORKS else None
    refuse_if(network is not None and len(packet) < network.header)
    skb = Skb(scope, given.data, with_mac=with_mac)
    _check_fields(fields, skb.length)
    skb.context = SkbContext(scope)
    skb.protocol = protocol
    skb.context["pkt_type"] = packet_type(given.data[:6], interface.mac, interface.broadcast)
    skb.context["ifindex"] = interface.ifindex
    _fill(skb, fields)
    if network:
        _fill_socket(skb.context, network, packet)
    packet_socket.place(kernel, skb.context)
    skb.tunnel = kernel.world.tunnel
    skb.refresh()
    return skb


def check_input(given: RunInput) -> None:
    """Refuse what the kernel refuses before it looks at the context."""
    refuse_if(given.flags & ~int(RunFlag.SKB_CHECKSUM_COMPLETE) or given.cpu or given.batch_size)
    refuse_if(not ETH_HLEN <= len(given.data) <= SKB_MAX_DATA)


def _interface(kernel: SimKernel, ifindex: int) -> Interface:
    interfaces = kernel.world.interfaces
    refuse_if(ifindex > LOOPBACK and ifindex not in interfaces, Errno.ENODEV)
    return interfaces[max(ifindex, LOOPBACK)]


def _check_fields(fields: GivenContext, length: int) -> None:
    if not any(fields.bytes):
        return
    rest = bytearray(fields.bytes)
    for each in SK_BUFF.settable:
        rest[each.offset : each.end] = bytes(each.end - each.offset)
    refuse_if(any(rest))
    refuse_if(bool(fields["wire_len"]) and not length <= fields["wire_len"] <= MAX_WIRE_LEN)
    refuse_if(fields["gso_segs"] > MAX_GSO_SEGS)


def _fill(skb: Skb, fields: GivenContext) -> None:
    if not fields.given:
        return
    context = skb.context
    for name in GIVEN:
        context[name] = fields[name]
    context["gso_size"] = fields["gso_size"] & 0xFFFF
    context.set_raw("cb", bytes(fields.bytes[fields.cover("cb")]))
    context["wire_len"] = fields["wire_len"] or skb.length


def _fill_socket(context: SkbContext, network: _Network, packet: bytes) -> None:
    # The test run gives the buffer a socket whose addresses are those of the packet.
    context["family"] = network.family
    context.set_raw(f"local_{network.suffix}", packet[network.source])
    context.set_raw(f"remote_{network.suffix}", packet[network.destination])
