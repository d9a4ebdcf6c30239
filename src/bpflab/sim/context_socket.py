"""The socket that a context is about: one of the world that the test gave, or one made for the run."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from bpflab.abi.sockets import Family, SocketProtocol, SocketState, SocketType
from bpflab.errors import InputError
from bpflab.sim.sockets import Socket, socket_at

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.memory import Scope
    from bpflab.sim.sockets import Address
    from bpflab.sim.test_run import Environment

PLAIN: Final[dict[str, int]] = {"family": Family.INET, "type": SocketType.STREAM, "protocol": SocketProtocol.TCP}
"""What a socket is of which the context says nothing."""
MAPPED: Final = bytes(10) + b"\xff\xff"
IPV6_ALONE: Final = bytes([127, 0, 0, 6])
"""The IPv4 address of a socket of IPv6 (LOOPBACK4_IPV6 of linux/in.h)."""
COOKIE: Final = 2
"""The cookie of sockets that are made for a run: what is kept for one is kept for the next."""


def stand_in(env: Environment, scope: Scope, context: FieldContext) -> Socket:
    """Have the context point to its socket, `sk`; InputError for an address that is no socket's."""
    given = context["sk"]
    found = socket_at(env.kernel.memory, given) if given else made_for(scope, context)
    if found is None:
        raise InputError(f"sk={given:#x} is no socket of the simulated world; give one that world.add_socket() made.")
    context["sk"] = found.address
    context.socket = found
    return found


def made_for(scope: Scope, context: FieldContext) -> Socket:
    """Make a socket of what the context says, for one run."""
    names = {field.name for field in context.layout.fields}
    facts: dict[str, int] = {
        name: context[name] for name in ("family", "type", "protocol", "state") if name in names and context[name]
    }
    if "local_ip4" in names:
        facts.setdefault("state", SocketState.ESTABLISHED)
    made = Socket(**(dict(PLAIN) | facts | {"cookie": COOKIE}))
    if "local_ip4" in names:
        made.local = _address(context, "local"), context["local_port"]
        made.remote = _address(context, "remote"), int.from_bytes(context.raw("remote_port")[-2:], "big")
    made.place(scope, context.order)
    return made


def _address(context: FieldContext, side: str) -> Address:
    if context["family"] == Family.INET6:
        return ipaddress.IPv6Address(context.raw(f"{side}_ip6"))
    return ipaddress.IPv4Address(context.raw(f"{side}_ip4"))


def describe(context: FieldContext) -> None:
    """Write into a context what its socket tells and the test did not give: addresses, state, numbers of TCP."""
    sock = context.socket
    if sock is None:
        return
    facts = {"family": sock.family, "state": sock.state, "local_port": sock.local[1], **sock.tcp}
    names = {field.name for field in context.layout.fields}
    for name, value in facts.items():
        if name in names and not context[name]:
            context[name] = value
    for side, (address, _port) in (("local", sock.local), ("remote", sock.remote)):
        ip4, ip6 = _both(address, local=side == "local")
        _put_bytes(context, f"{side}_ip4", ip4)
        _put_bytes(context, f"{side}_ip6", ip6)
    _put_bytes(context, "remote_port", sock.remote[1].to_bytes(4, "big"))


def _both(address: Address, *, local: bool) -> tuple[bytes, bytes]:
    """Return what a socket keeps of an address for both versions: IPv4 as mapped by IPv6, and a mark for IPv6."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.packed, MAPPED + address.packed
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped.packed, address.packed
    return IPV6_ALONE if local else bytes(4), address.packed


def _put_bytes(context: FieldContext, name: str, content: bytes) -> None:
    field = context.layout.field(name)
    if not any(context.raw(name)) and len(content) == field.end - field.offset:
        context.region.data[field.offset : field.end] = content
