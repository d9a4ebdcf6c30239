"""The link addresses of a packet that redirect_neigh sends (__bpf_redirect_neigh of net/core/filter.c)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from bpflab.abi.run_rules import ETH_HLEN
from bpflab.sim import routing

if TYPE_CHECKING:
    from bpflab.sim.events import Redirect
    from bpflab.sim.topology import Address
    from bpflab.sim.world import World

DESTINATIONS: Final = {4: (slice(16, 20), b"\x08\x00"), 6: (slice(24, 40), b"\x86\xdd")}
"""Where a header has the destination, by its version, and what the link calls such packets."""


def addressed(world: World, packet: bytes, redirect: Redirect) -> bytes | str:
    """Return the packet with the addresses of its next hop on the link; or in words why it goes nowhere.

    The next hop is that of the redirect, or what the routes say for the packet's destination.
    """
    header, interface = packet[ETH_HLEN:], world.interfaces[redirect.ifindex]
    version = header[0] >> 4 if header else 0
    if version not in DESTINATIONS or len(header) < DESTINATIONS[version][0].stop:
        return "redirect_neigh sends IP packets alone"
    where, kind = DESTINATIONS[version]
    hop = _next_hop(world, ipaddress.ip_address(header[where]), redirect)
    if hop is None:
        return f"no route leads to {ipaddress.ip_address(header[where])} by {interface.name}"
    mac = world.neighbours.get((interface.ifindex, hop))
    if mac is None:
        return f"the neighbour {hop} is not known on {interface.name}; add it: world.add_neighbour({str(hop)!r}, ...)"
    return mac + interface.mac + kind + header


def _next_hop(world: World, destination: Address, redirect: Redirect) -> Address | None:
    if redirect.next_hop:
        return ipaddress.ip_address(redirect.next_hop)
    route = routing.find_route(world, destination, table=None, oif=redirect.ifindex)
    if route is None or route.kind != "unicast" or route.ifindex != redirect.ifindex:
        return None
    return route.gateway or destination
