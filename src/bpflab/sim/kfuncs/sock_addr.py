"""Addresses of unix sockets (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.sockets import Family
from bpflab.sim.field_context import FieldContext

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

LONGEST_PATH: Final = 108
"""UNIX_PATH_MAX."""


def bpf_sock_addr_set_sun_path(env: Environment, sa_kern: int, sun_path: int, sun_path__sz: int) -> int:
    """Give the call another address of a unix socket, neither empty nor too long."""
    del sa_kern
    context, size = env.frame, sun_path__sz & 0xFFFFFFFF
    if not isinstance(context, FieldContext) or context.socket is None or context.socket.family != Family.UNIX:
        return -Errno.EINVAL
    if not 0 < size <= LONGEST_PATH:
        return -Errno.EINVAL
    place = context.layout.field("path")
    path = env.kernel.memory.read(sun_path, size)
    context.region.data[place.offset : place.offset + size] = path
    context["path_length"] = size
    return 0
