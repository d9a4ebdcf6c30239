"""The socket that a helper means by the context: that of the packet, or of whatever the context is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.skb import Skb
from bpflab.sim.sockets import Socket, socket_at

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment


def socket_behind(env: Environment) -> Socket | None:
    """Return the socket of the context; None where it has none."""
    if isinstance(env.frame, Skb):
        return socket_at(env.kernel.memory, env.frame.context["sk"])
    found = getattr(env.frame, "socket", None)
    return found if isinstance(found, Socket) else None
