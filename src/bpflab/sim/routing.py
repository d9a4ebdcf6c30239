"""Routes of the simulated world: the longest prefix, then the lowest metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.sim.topology import Address, Route
    from bpflab.sim.world import World

MAIN_TABLE = 254
"""RT_TABLE_MAIN of linux/rtnetlink.h."""


def find_route(world: World, destination: Address, *, table: int | None, oif: int = 0) -> Route | None:
    """Return the route that a packet to `destination` takes, None when no route leads there.

    `table` restricts the search to one table, None means the main one. `oif` restricts unicast routes to an
    output interface.
    """
    wanted = MAIN_TABLE if table is None else table
    matching = [
        route
        for route in world.routes
        if route.table == wanted
        and route.network.version == destination.version
        and destination in route.network
        and (not oif or route.ifindex == oif or route.kind != "unicast")
    ]
    return min(matching, key=lambda route: (-route.network.prefixlen, route.metric), default=None)
