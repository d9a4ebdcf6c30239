"""What a socket lookup program decides: the socket for a connection of a family and protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.sim.sockets import Socket


@dataclass(slots=True)
class Choice:
    """`whole_group`: if the socket shares its port, any of the group may get the connection."""

    family: int
    protocol: int
    socket: Socket | None = None
    whole_group: bool = True
