"""Elements of maps, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.map_rules import RULES, MapOp
from bpflab.abi.map_types import MapType
from bpflab.sim import user
from bpflab.sim.files import BOTH, READ, WRITE
from bpflab.sim.maps.base import LOCK, SimMap
from bpflab.sim.refusal import Refusal, refuse_if

OF_OPERATIONS: Final = MapOp.LOOKUP | MapOp.UPDATE | MapOp.DELETE | MapOp.NEXT_KEY
"""What a STRUCT_OPS map has, for which there is no rule: its loader makes it."""

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request


def map_lookup_elem(kernel: SimKernel, request: Request) -> int:
    """Copy a value to the caller. A bloom filter reads the value instead, and answers whether it may hold it."""
    flags = request["flags"]
    if flags & ~LOCK:
        raise Refusal(Errno.EINVAL)
    target = open_map(kernel, request["map_fd"], READ)
    check_lock(target, flags)
    key = read_key(target, request["key"])
    if target.type == MapType.BLOOM_FILTER:
        found = target.peek(user.read(request["value"], target.value_size))
        return -Errno.ENOENT if found is None else 0
    user.write(request["value"], target.sys_lookup(key, flags))
    return 0


def map_update_elem(kernel: SimKernel, request: Request) -> int:
    """Insert or replace an element."""
    target = open_map(kernel, request["map_fd"], WRITE)
    flags = request["flags"]
    check_lock(target, flags)
    key = read_key(target, request["key"])
    value = user.read(request["value"], target.user_value_size)
    return target.sys_update(key, value, flags)


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


def map_lookup_and_delete_elem(kernel: SimKernel, request: Request) -> int:
    """Remove an element and copy its value to the caller."""
    flags = request["flags"]
    if flags & ~LOCK:
        raise Refusal(Errno.EINVAL)
    target = open_map(kernel, request["map_fd"], BOTH)
    if flags and target.type in {MapType.QUEUE, MapType.STACK}:
        raise Refusal(Errno.EINVAL)
    check_lock(target, flags)
    key = read_key(target, request["key"])
    check_operation(target, MapOp.LOOKUP_AND_DELETE)
    user.write(request["value"], target.sys_lookup_and_delete(key, flags))
    return 0


def map_freeze(kernel: SimKernel, request: Request) -> int:
    """Forbid the system call to write to a map for good."""
    file = kernel.files.get(request["map_fd"])
    target = kernel.find(request["map_fd"], SimMap)
    refuse_if(target.fields, Errno.ENOTSUPP)
    refuse_if(not file.mode & WRITE or target.frozen, Errno.EPERM)
    refuse_if(target.writers, Errno.EBUSY)
    target.frozen = True
    return 0


def open_map(kernel: SimKernel, fd: int, mode: int) -> SimMap:
    """Return the map of a descriptor; EBADF, EINVAL for no map, EPERM if the descriptor does not allow it."""
    file = kernel.files.get(fd)
    target = file.object
    if not isinstance(target, SimMap):
        raise Refusal(Errno.EINVAL)
    if file.mode & mode != mode or (mode & WRITE and target.frozen):
        raise Refusal(Errno.EPERM)
    return target


def read_key(target: SimMap, address: int) -> bytes:
    """Copy a key from the caller; a map without keys wants a null pointer."""
    if target.key_size:
        return user.read(address, target.key_size)
    if address:
        raise Refusal(Errno.EINVAL)
    return b""


def check_lock(target: SimMap, flags: int) -> None:
    """Refuse (EINVAL) the LOCK flag for values without a lock."""
    if flags & LOCK and not target.has_lock:
        raise Refusal(Errno.EINVAL)


def check_operation(target: SimMap, wanted: MapOp) -> None:
    """Refuse (ENOTSUPP) what the system call cannot do with maps of this type."""
    rule = RULES.get(target.type)
    offered = OF_OPERATIONS if target.type == MapType.STRUCT_OPS else rule.ops if rule is not None else MapOp.NOTHING
    refuse_if(not offered & wanted, Errno.ENOTSUPP)
