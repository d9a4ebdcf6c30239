"""The next hop of a packet by the world's routes and neighbours (net/core/filter.c, bpf_ipv4_fib_lookup)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.helper_flags import FibLookupFlag, FibLookupResult
from bpflab.abi.layout import Layout
from bpflab.sim.routing import find_route
from bpflab.sim.skb import Skb

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.test_run import Environment
    from bpflab.sim.topology import Address, Interface, Route

FIELDS: Final = (
    "family:B l4_protocol:B sport:H dport:H tot_len|mtu_result:H ifindex:I tos|rt_metric:I src:16s dst:16s "
    "tbid:I smac:6s dmac:6s"
)
"""`struct bpf_fib_lookup` of linux/bpf.h."""
SIZE: Final = 64
IPV4: Final = 4
ETHERNET_ROOM: Final = 14 + 4
"""A device takes its MTU, an Ethernet header and a VLAN tag (linux/netdevice.h, is_skb_forwardable)."""
AF_INET, AF_INET6 = 2, 10
KNOWN: Final = int(
    FibLookupFlag.DIRECT
    | FibLookupFlag.OUTPUT
    | FibLookupFlag.SKIP_NEIGH
    | FibLookupFlag.TBID
    | FibLookupFlag.SRC
    | FibLookupFlag.MARK
)
REFUSALS: Final = {
    "blackhole": FibLookupResult.BLACKHOLE,
    "unreachable": FibLookupResult.UNREACHABLE,
    "prohibit": FibLookupResult.PROHIBIT,
}


def fib_lookup(env: Environment, ctx: object, params: Buffer, plen: int, flags: int) -> int:
    """Fill the parameters with the way to their destination; 0 or the reason why there is none."""
    if plen < SIZE or flags & ~KNOWN:
        return -Errno.EINVAL
    layout = Layout("bpf_fib_lookup", FIELDS, env.kernel.memory.order)
    content = bytearray(params.read())
    given = layout.unpack(content)
    if given["family"] not in {AF_INET, AF_INET6}:
        return -Errno.EAFNOSUPPORT
    answer, found = _look(env, layout, content, flags)
    if answer == FibLookupResult.SUCCESS and isinstance(ctx, Skb) and not given["tot_len"] and found is not None:
        if ctx.length > found.mtu + ETHERNET_ROOM:
            answer = FibLookupResult.FRAG_NEEDED
        layout.set(content, "mtu_result", found.mtu & 0xFFFF)
    params.write(bytes(content))
    return answer


def _look(env: Environment, layout: Layout, content: bytearray, flags: int) -> tuple[int, Interface | None]:
    world = env.kernel.world
    given = layout.unpack(content)
    device = world.interfaces.get(layout.get(content, "ifindex"))
    if device is None:
        return -Errno.ENODEV, None
    if not device.forwarding:
        return FibLookupResult.FWD_DISABLED, None
    table = _take_table(layout, content, flags)
    destination = _address(layout.get(content, "family"), given["dst"])
    strict = flags & FibLookupFlag.OUTPUT and destination.version == IPV4  # IPv6 only prefers the device
    oif = device.ifindex if strict else 0
    route = find_route(world, destination, table=table, oif=oif)
    if route is None:
        return FibLookupResult.NOT_FWDED, None
    if route.kind != "unicast":
        return REFUSALS.get(route.kind, FibLookupResult.NOT_FWDED), None
    return _forward(env, layout, content, flags, route)


def _forward(
    env: Environment, layout: Layout, content: bytearray, flags: int, route: Route
) -> tuple[int, Interface | None]:
    world, out = env.kernel.world, env.kernel.world.interfaces[route.ifindex]
    mtu = route.mtu or out.mtu
    length = layout.get(content, "tot_len")
    if length > mtu:
        layout.set(content, "mtu_result", mtu)
        return FibLookupResult.FRAG_NEEDED, None
    layout.set(content, "rt_metric", route.metric)
    layout.set(content, "ifindex", out.ifindex)
    if flags & FibLookupFlag.SRC:
        if route.source is None:
            return FibLookupResult.NO_SRC_ADDR, None
        layout.set(content, "src", route.source.packed)
    hop = route.gateway or _address(layout.get(content, "family"), layout.unpack(content)["dst"])
    if route.gateway is not None:
        layout.set(content, "dst", route.gateway.packed)
    if not flags & FibLookupFlag.SKIP_NEIGH:
        mac = world.neighbours.get((out.ifindex, hop))
        if mac is None:
            return FibLookupResult.NO_NEIGH, None
        layout.set(content, "smac", out.mac)
        layout.set(content, "dmac", mac)
    layout.set(content, "tbid", 0)
    layout.set(content, "mtu_result", mtu & 0xFFFF)
    return FibLookupResult.SUCCESS, out


def _take_table(layout: Layout, content: bytearray, flags: int) -> int | None:
    if not (flags & FibLookupFlag.DIRECT and flags & FibLookupFlag.TBID):
        return None
    table = layout.get(content, "tbid")
    layout.set(content, "tbid", 0)  # its place is that of the VLAN answer
    return table


def _address(family: int, raw: int | bytes) -> Address:
    packed = raw if isinstance(raw, bytes) else b""
    return ipaddress.IPv4Address(packed[:4]) if family == AF_INET else ipaddress.IPv6Address(packed)
