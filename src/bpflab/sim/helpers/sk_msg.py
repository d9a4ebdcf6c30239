"""Messages of sockets: how long a verdict holds, what is seen, put in and taken out (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim.hooks.sk_msg import message_of
from bpflab.sim.sk_redirect import choose

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment


def msg_apply_bytes(env: Environment, msg: FieldContext, bytes: int) -> int:
    """Let the verdict hold for a number of bytes."""
    del env
    msg["apply_bytes"] = bytes
    return 0


def msg_cork_bytes(env: Environment, msg: FieldContext, bytes: int) -> int:
    """Ask for a number of bytes before the next verdict."""
    del env
    msg["cork_bytes"] = bytes
    return 0


def msg_pull_data(env: Environment, msg: FieldContext, start: int, end: int, flags: int) -> int:
    """Show the program a stretch of the message, in one piece."""
    del env
    message = message_of(msg)
    if flags or end <= start or start >= message.size:
        return -Errno.EINVAL
    number, begins = message.locate(start)
    wanted = end - begins
    if wanted > message.size - begins:
        return -Errno.EINVAL
    if wanted > len(message.pieces[number]):
        message.merge(number, wanted)
    message.show(number, start - begins, end - start)
    return 0


def msg_push_data(env: Environment, msg: FieldContext, start: int, len: int, flags: int) -> int:
    """Put zero bytes into the message; on the running kernel what they are is not said."""
    del env
    message = message_of(msg)
    if flags:
        return -Errno.EINVAL
    if not len:
        return 0
    if start > message.size:
        return -Errno.EINVAL
    message.insert(start, len)
    message.show_first()
    return 0


def msg_pop_data(env: Environment, msg: FieldContext, start: int, len: int, flags: int) -> int:
    """Take bytes out of the message."""
    del env
    message = message_of(msg)
    if flags:
        return -Errno.EINVAL
    if not len:
        return 0
    if start >= message.size or start + len > message.size:
        return -Errno.EINVAL
    message.cut(start, len)
    message.show_first()
    return 0


def msg_redirect_map(env: Environment, msg: FieldContext, map: SimMap, key: int, flags: int) -> int:
    """Choose the socket of a SOCKMAP that the message goes to."""
    del msg
    return choose(env, "msg_redirect_map", map, key.to_bytes(4, env.kernel.memory.order), flags)


def msg_redirect_hash(env: Environment, msg: FieldContext, map: SimMap, key: bytes, flags: int) -> int:
    """Choose the socket of a SOCKHASH that the message goes to."""
    del msg
    return choose(env, "msg_redirect_hash", map, key, flags)
