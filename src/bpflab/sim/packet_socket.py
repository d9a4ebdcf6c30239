"""The socket of a test run's packet: one made for the run, the one that the test chose, or none.

net/bpf/test_run.c gives the buffer a socket of no protocol, closed, with the packet's family and addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout
from bpflab.sim.sockets import Socket

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.skb_context import SkbContext
    from bpflab.sim.world import World

_FIELDS: Final = ("family", "src_ip4", "src_ip6", "dst_ip4", "dst_ip6")
_PLACES: Final = {
    field.name: slice(field.offset, field.end) for field in layout("bpf_sock").fields if field.name in _FIELDS
}
SHOWN: Final = {
    "family": "family",
    "local_ip4": "src_ip4",
    "local_ip6": "src_ip6",
    "remote_ip4": "dst_ip4",
    "remote_ip6": "dst_ip6",
}
"""Fields of `struct __sk_buff` that are those of its socket, by their names in `struct bpf_sock`."""


def place(kernel: SimKernel, context: SkbContext) -> None:
    """Put the pointer to a packet's socket into its context, when the addresses of the packet stand there."""
    chosen = kernel.world.packet_socket
    if chosen is None:
        for name in (*SHOWN, "remote_port", "local_port"):
            context.set_raw(name, b"")
        context.set_raw("sk", b"")
        return
    sock = _own(kernel.world, context) if chosen == "own" else chosen
    if isinstance(chosen, Socket):
        _show(context, chosen)
    context["sk"] = sock.address


def of_run(world: World) -> Socket:
    """Return the socket of packets that have no other, which is the same one in all runs."""
    if world.run_socket is None:
        world.run_socket = Socket(cookie=1)
        world.run_socket.place(world.memory, world.memory.order)
    return world.run_socket


def _own(world: World, context: SkbContext) -> Socket:
    sock = world.run_socket or of_run(world)
    assert sock.region is not None
    while world.run_storage:
        world.run_storage.pop().drop(sock.cookie)
    for name, theirs in SHOWN.items():
        sock.region.data[_PLACES[theirs]] = context.raw(name)
    return sock


def _show(context: SkbContext, sock: Socket) -> None:
    assert sock.region is not None
    for name, theirs in SHOWN.items():
        context.set_raw(name, bytes(sock.region.data[_PLACES[theirs]]))
    context["local_port"] = sock.local[1]
    context.set_raw("remote_port", sock.remote[1].to_bytes(2, "big"))
