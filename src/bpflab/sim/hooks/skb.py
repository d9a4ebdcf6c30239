"""What programs on socket buffers share: tc, socket filters, cgroup_skb and lwt (net/bpf/test_run.c).

A type's own module makes its `HOOK` of this class. The module is found under no program type's name.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import RunFlag
from bpflab.abi.helpers import helper
from bpflab.abi.run_rules import ETH_HLEN, SKB_MAX_DATA
from bpflab.sim.refusal import refuse_if
from bpflab.sim.skb import ETH_P_IP, ETH_P_IPV6, MAC_LENGTH, Skb, ethernet_type, packet_type
from bpflab.sim.skb_context import SK_BUFF, SkbContext
from bpflab.sim.skb_load import packet_loader
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.abi.prog_types import ProgType
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.memory import Scope
    from bpflab.sim.programs import ProgSpec, SimProgram
    from bpflab.sim.skb_access import Access

LOOPBACK: Final = 1
AF_INET, AF_INET6 = 2, 10
MAX_GSO_SEGS: Final = 0xFFFF
MAX_WIRE_LEN: Final = 0x10000


class SkbHook:
    """The rules and the test run of one type: its fields, whether its packets begin with the MAC header."""

    def __init__(
        self,
        prog_type: ProgType,
        access: Access,
        *,
        with_mac: bool = False,
        direct: bool = True,
        packet_writable: bool = True,
    ) -> None:
        self.type = prog_type
        self.access = access
        self.with_mac = with_mac
        self.direct = direct
        self._packet_writable = packet_writable

    def context(self, spec: ProgSpec) -> CtxRule:
        """Return the type's rule for `struct __sk_buff`."""
        del spec
        return self.access.rule()

    def helper_allowed(self, spec: ProgSpec, helper_id: int) -> bool:
        """Ask the helper table."""
        del spec
        return self.type in helper(helper_id).programs

    def return_range(self, spec: ProgSpec) -> tuple[int, int] | None:
        """Take any value."""
        del spec
        return None

    def packet_writable(self, spec: ProgSpec) -> bool:
        """Tell whether the type may write to the packet directly."""
        del spec
        return self._packet_writable

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run on a socket buffer that holds the packet, `repeat` times over the same buffer."""
        fields = check_input(kernel, given)
        with kernel.memory.scope() as scope:
            skb = self.build(kernel, scope, given, fields)
            env = Environment(kernel, program, skb.context.region.address, skb)
            retval = 0
            for _ in range(max(given.repeat, 1)):
                retval = invoke(env, scope, packet_loader(skb))
            return RunOutput(retval, self._data_out(skb), _context_out(skb, given) if given.wants_ctx else None)

    def build(self, kernel: SimKernel, scope: Scope, given: RunInput, fields: dict[str, int]) -> Skb:
        """Make the buffer and its context as the kernel's test run does."""
        skb = Skb(scope, given.data, with_mac=self.with_mac)
        skb.direct = self.direct
        skb.context = SkbContext(scope)
        _fill(kernel, skb, fields, given)
        if given.flags & RunFlag.SKB_CHECKSUM_COMPLETE:
            skb.ip_summed = 2
        skb.refresh()
        return skb

    def _data_out(self, skb: Skb) -> bytes:
        return skb.content if self.with_mac else bytes(MAC_LENGTH) + skb.content


def check_input(kernel: SimKernel, given: RunInput) -> dict[str, int]:
    """Read `struct __sk_buff`, and refuse what the kernel refuses."""
    refuse_if(given.flags & ~RunFlag.SKB_CHECKSUM_COMPLETE or given.cpu or given.batch_size)
    refuse_if(not ETH_HLEN <= len(given.data) <= SKB_MAX_DATA)
    raw = (given.ctx or b"").ljust(SK_BUFF.size, b"\0")
    refuse_if(any(raw[SK_BUFF.size :]), Errno.E2BIG)
    _check_unsettable(raw)
    fields = {each.name: _number(each.code, raw, each.offset) for each in SK_BUFF.settable if not each.count}
    refuse_if(fields["ifindex"] > LOOPBACK and fields["ifindex"] not in kernel.world.interfaces, Errno.ENODEV)
    refuse_if(fields["gso_segs"] > MAX_GSO_SEGS)
    return fields


def _check_unsettable(raw: bytes) -> None:
    rest = bytearray(raw[: SK_BUFF.size])
    for each in SK_BUFF.settable:
        rest[each.offset : each.end] = bytes(each.end - each.offset)
    refuse_if(any(rest))


def _number(code: str, raw: bytes, offset: int) -> int:
    value: int = struct.unpack_from("=" + code, raw, offset)[0]
    return value


def _fill(kernel: SimKernel, skb: Skb, fields: dict[str, int], given: RunInput) -> None:
    context, packet = skb.context, given.data
    interface = kernel.world.interfaces[max(fields["ifindex"], LOOPBACK)]
    refuse_if(bool(fields["wire_len"]) and not skb.length <= fields["wire_len"] <= MAX_WIRE_LEN)
    protocol = ethernet_type(packet)
    context.set_raw("protocol", protocol.to_bytes(2, "big"))
    context["pkt_type"] = packet_type(packet[:6], interface.mac, interface.broadcast)
    for name in ("mark", "priority", "ingress_ifindex", "tstamp", "gso_segs", "gso_size", "hwtstamp"):
        context[name] = fields[name]
    context["ifindex"] = interface.ifindex
    context["wire_len"] = fields["wire_len"] or skb.length
    context.set_raw("cb", (given.ctx or b"").ljust(SK_BUFF.size, b"\0")[SK_BUFF.field("cb").offset :][:20])
    _fill_socket(context, protocol, packet[MAC_LENGTH:])


def _fill_socket(context: SkbContext, protocol: int, network: bytes) -> None:
    # The test run gives the buffer a socket whose addresses are those of the packet.
    if protocol == ETH_P_IP:
        context["family"] = AF_INET
        if len(network) >= 20:
            context.set_raw("local_ip4", network[12:16])
            context.set_raw("remote_ip4", network[16:20])
    elif protocol == ETH_P_IPV6:
        context["family"] = AF_INET6
        if len(network) >= 40:
            context.set_raw("local_ip6", network[8:24])
            context.set_raw("remote_ip6", network[24:40])


def _context_out(skb: Skb, given: RunInput) -> bytes:
    # The kernel writes these into the context that came in; the others stay as they were given.
    out = bytearray((given.ctx or b"").ljust(SK_BUFF.size, b"\0")[: SK_BUFF.size])
    for name in ("mark", "priority", "ingress_ifindex", "ifindex", "tstamp", "wire_len", "gso_segs", "hwtstamp"):
        field = SK_BUFF.field(name)
        struct.pack_into("=" + field.code, out, field.offset, skb.context[name])
    cb = SK_BUFF.field("cb")
    out[cb.offset : cb.end] = skb.context.raw("cb")
    return bytes(out)
