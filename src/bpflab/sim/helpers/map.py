"""Reading and changing maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim.maps.sockets import SocketMap
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.test_run import Environment


def map_lookup_elem(env: Environment, map: SimMap, key: bytes) -> int:
    """Give the address of a value, 0 when the key is not there. A socket of a map is held until it is released."""
    found = map.lookup(key)
    if found and isinstance(map, SocketMap):
        env.run.acquire(found, "socket")
    return found


def map_lookup_percpu_elem(env: Environment, map: SimMap, key: bytes, cpu: int) -> int:
    """Give the address of one CPU's value."""
    del env
    return map.lookup_percpu(key, cpu)


def map_update_elem(env: Environment, map: SimMap, key: bytes, value: bytes, flags: int) -> int:
    """Insert or replace."""
    del env
    return map.update(key, value, flags)


def map_delete_elem(env: Environment, map: SimMap, key: bytes) -> int:
    """Remove."""
    del env
    return map.delete(key)


def map_push_elem(env: Environment, map: SimMap, value: bytes, flags: int) -> int:
    """Add to a queue, stack or Bloom filter."""
    del env
    return map.push(value, flags)


def map_pop_elem(env: Environment, map: SimMap, value: Buffer) -> int:
    """Take the next value; an empty map leaves zeros, as the kernel does."""
    del env
    return _give(value, map.pop())


def map_peek_elem(env: Environment, map: SimMap, value: Buffer) -> int:
    """Copy the next value, or ask a Bloom filter for the value in the buffer."""
    del env
    asked = b"" if map.key_size else _initial(value)
    return _give(value, map.peek(asked))


def for_each_map_elem(
    env: Environment,
    map: SimMap,
    callback_fn: int,
    callback_ctx: int | None,
    flags: int,
) -> int:
    """Call back with (map, key, value, context) for each element until one call answers 1."""
    if flags:
        return -Errno.EINVAL
    try:
        elements = list(map.elements())
    except Refusal as refusal:
        return -refusal.errno
    run = env.run
    for count, (key, value) in enumerate(elements, 1):
        copy = run.scope.add(RegionKind.BUFFER, bytearray(key), name="map key", writable=False)
        if run.call(callback_fn, map.address, copy.address, value, callback_ctx or 0):
            return count
    return len(elements)


def _initial(value: Buffer) -> bytes:
    return value.read()


def _give(value: Buffer, found: bytes | None) -> int:
    if found is None:
        value.fill(b"")
        return -Errno.ENOENT
    value.fill(found)
    return 0
