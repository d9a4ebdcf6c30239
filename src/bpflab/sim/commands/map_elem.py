"""Elements of maps, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim import user
from bpflab.sim.files import READ, WRITE
from bpflab.sim.maps.base import LOCK, SimMap
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request


def map_lookup_elem(kernel: SimKernel, request: Request) -> int:
    """Copy a value to the caller."""
    flags = request["flags"]
    if flags & ~LOCK:
        raise Refusal(Errno.EINVAL)
    target = open_map(kernel, request["map_fd"], READ)
    key = read_key(target, request["key"])
    user.write(request["value"], target.sys_lookup(key, flags))
    return 0


def map_update_elem(kernel: SimKernel, request: Request) -> int:
    """Insert or replace an element."""
    target = open_map(kernel, request["map_fd"], WRITE)
    key = read_key(target, request["key"])
    value = user.read(request["value"], target.user_value_size)
    return target.sys_update(key, value, request["flags"])


def map_delete_elem(kernel: SimKernel, request: Request) -> int:
    """Remove an element."""
    target = open_map(kernel, request["map_fd"], WRITE)
    return target.sys_delete(read_key(target, request["key"]))


def map_get_next_key(kernel: SimKernel, request: Request) -> int:
    """Copy the key after the given one to the caller; a null key asks for the first."""
    target = open_map(kernel, request["map_fd"], READ)
    key = read_key(target, request["key"]) if request["key"] else None
    user.write(request["next_key"], target.next_key(key))
    return 0


def open_map(kernel: SimKernel, fd: int, mode: int) -> SimMap:
    """Return the map of a descriptor; EBADF, EINVAL for no map, EPERM if the descriptor does not allow it."""
    file = kernel.files.get(fd)
    target = file.object
    if not isinstance(target, SimMap):
        raise Refusal(Errno.EINVAL)
    if not file.mode & mode or (mode & WRITE and target.frozen):
        raise Refusal(Errno.EPERM)
    return target


def read_key(target: SimMap, address: int) -> bytes:
    """Copy a key from the caller; a map without keys wants a null pointer."""
    if target.key_size:
        return user.read(address, target.key_size)
    if address:
        raise Refusal(Errno.EINVAL)
    return b""
