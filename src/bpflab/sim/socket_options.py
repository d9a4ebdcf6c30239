"""Options of simulated sockets: what setsockopt and getsockopt of programs do (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.socket_options import (
    ALL_CB_FLAGS,
    BIND_TO_DEVICE,
    BUFFER_LIMIT,
    CB_FLAGS,
    CONGESTION,
    CONGESTION_CONTROLS,
    ECN_BITS,
    LEAST_RECEIVE_BUFFER,
    LEAST_SEND_BUFFER,
    LONGEST_CONGESTION_NAME,
    MIRRORED,
    OPTIONS,
    SAVED_SYN,
    Effect,
    Level,
    Option,
)
from bpflab.abi.sockets import Family, SocketProtocol, SocketState, SocketType

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.sockets import Socket
    from bpflab.sim.world import World

INT: Final = 4
U32: Final = 0xFFFF_FFFF


def set_option(world: World, sock: Socket, key: tuple[int, int], value: bytes, order: ByteOrder) -> int:
    """Set an option from a program's bytes; 0 or a negative errno."""
    if not _reachable(sock, key[0]):
        return -Errno.EINVAL
    if key == BIND_TO_DEVICE:
        return _bind_to_device(world, sock, value)
    if key == CONGESTION:
        return _set_congestion(sock, value)
    option = OPTIONS.get(key)
    if option is None or len(value) != INT:
        return -Errno.EINVAL
    return _set_number(sock, key, option, _signed(int.from_bytes(value, order)))


def get_option(sock: Socket, key: tuple[int, int], size: int, order: ByteOrder) -> bytes | int:
    """Return an option's bytes, as many as fit, or a negative errno."""
    if not _reachable(sock, key[0]) or key == BIND_TO_DEVICE:
        return -Errno.EINVAL
    if key == CONGESTION:
        return _congestion(sock, size)
    if key == SAVED_SYN:
        return _saved_syn(sock, size)
    option = OPTIONS.get(key)
    if option is None or not option.readable or size != INT:
        return -Errno.EINVAL
    return (number_of(sock, key) & U32).to_bytes(INT, order)


def number_of(sock: Socket, key: tuple[int, int]) -> int:
    """Return the number that an option has now."""
    if key in MIRRORED:
        return int(getattr(sock, MIRRORED[key]))
    known = sock.options.get(key)
    return OPTIONS[key].default if known is None else _signed(int.from_bytes(known, "little"))


def _set_number(sock: Socket, key: tuple[int, int], option: Option, number: int) -> int:
    if not option.least <= number <= option.greatest and not (option.zero and number == 0):
        return -Errno.EINVAL
    if option.effect is Effect.WINDOW and number == 0 and sock.state != SocketState.CLOSE:
        return -Errno.EINVAL
    if key == CB_FLAGS and number & ~ALL_CB_FLAGS:
        return -Errno.EINVAL
    kept = _kept(sock, key, option, number)
    if key in MIRRORED:
        setattr(sock, MIRRORED[key], kept & U32)
    else:
        sock.options[key] = (kept & U32).to_bytes(INT, "little")
    return 0


def _kept(sock: Socket, key: tuple[int, int], option: Option, number: int) -> int:
    if option.effect is Effect.BYTE:
        wanted = 0 if number == -1 and key[0] == Level.IPV6 else number & 0xFF
        stream = sock.type == SocketType.STREAM
        return wanted & ~ECN_BITS | number_of(sock, key) & ECN_BITS if stream else wanted
    if option.name == "SO_TXREHASH" and number == -1:
        return option.default
    return _EFFECTS[option.effect](number)


_EFFECTS: Final[dict[Effect, Callable[[int], int]]] = {
    Effect.KEEP: lambda number: number,
    Effect.BOOL: lambda number: int(number != 0),
    Effect.SEND_BUFFER: lambda number: max(2 * min(number & U32, BUFFER_LIMIT), LEAST_SEND_BUFFER),
    Effect.RECEIVE_BUFFER: lambda number: max(2 * min(number & U32, BUFFER_LIMIT), LEAST_RECEIVE_BUFFER),
    Effect.AT_LEAST_ONE: lambda number: U32 >> 1 if number < 0 else number or 1,
    Effect.WINDOW: lambda number: max(number, LEAST_RECEIVE_BUFFER // 2) if number else 0,
}


def _reachable(sock: Socket, level: int) -> bool:
    """Whether the socket has options of this level."""
    if not sock.is_full:
        return False
    if level == Level.TCP:
        return sock.protocol == SocketProtocol.TCP
    if level == Level.IPV6:
        return sock.family == Family.INET6
    return level == Level.SOCKET or (level == Level.IP and sock.family in {Family.INET, Family.INET6})


def _bind_to_device(world: World, sock: Socket, value: bytes) -> int:
    name = value.partition(b"\0")[0].decode("utf-8", "replace")
    found = next((each.ifindex for each in world.interfaces.values() if each.name == name), None if name else 0)
    if found is None:
        return -Errno.ENODEV
    sock.ifindex = found
    return 0


def _set_congestion(sock: Socket, value: bytes) -> int:
    if len(value) < 2:
        return -Errno.EINVAL
    name = value.partition(b"\0")[0][: LONGEST_CONGESTION_NAME - 1]
    if name.decode("utf-8", "replace") not in CONGESTION_CONTROLS:
        return -Errno.ENOENT
    sock.options[CONGESTION] = name
    return 0


def _congestion(sock: Socket, size: int) -> bytes | int:
    if size < 2:
        return -Errno.EINVAL
    name = sock.options.get(CONGESTION, CONGESTION_CONTROLS[-1].encode())
    return name.ljust(LONGEST_CONGESTION_NAME, b"\0")[: size - 1] + b"\0"


def _saved_syn(sock: Socket, size: int) -> bytes | int:
    saved = sock.options.get(SAVED_SYN, b"")
    return -Errno.EINVAL if size < max(len(saved), 1) else saved


def _signed(number: int) -> int:
    return number - (1 << 32) if number >> 31 else number
