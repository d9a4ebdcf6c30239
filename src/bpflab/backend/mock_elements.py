"""Elements of a mock's maps: simply remembered, with the answers that a kernel gives to what is not there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import UpdateFlag
from bpflab.abi.map_types import MapType
from bpflab.backend.mock_objects import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.backend.calls import Call
    from bpflab.backend.mock_objects import MockMap, MockObjects

ARRAYS: Final = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})
"""Maps whose elements are all there from the start, and zero."""
LEAST_RECENTLY_USED: Final = frozenset({MapType.LRU_HASH, MapType.LRU_PERCPU_HASH})
LAST_IN_FIRST_OUT: Final = MapType.STACK


def lookup(objects: MockObjects, call: Call) -> int:
    """MAP_LOOKUP_ELEM: what was put there; zeros in an array; ENOENT for what is not there."""
    target = objects.map(call.fields["map_fd"])
    if not target.number("key_size"):
        call.fill("value", _end(target, take=False))
        return 0
    call.fill("value", _element(target, call))
    return 0


def take(objects: MockObjects, call: Call) -> int:
    """MAP_LOOKUP_AND_DELETE_ELEM: as lookup, and the element is gone."""
    target = objects.map(call.fields["map_fd"])
    if not target.number("key_size"):
        call.fill("value", _end(target, take=True))
        return 0
    call.fill("value", _element(target, call))
    del target.elements[_bytes(call, "key")]
    return 0


def update(objects: MockObjects, call: Call) -> int:
    """MAP_UPDATE_ELEM: heeds NOEXIST and EXIST, max_entries, and MAP_FREEZE."""
    target = objects.map(call.fields["map_fd"])
    flags = call.fields["flags"]
    if target.frozen:
        raise refusal(Errno.EPERM)
    if not target.number("key_size"):
        target.queue.append(_bytes(call, "value"))
        return 0
    put(target, _bytes(call, "key"), _bytes(call, "value"), flags if isinstance(flags, int) else 0)
    return 0


def put(target: MockMap, key: bytes, value: bytes, flags: int = 0) -> None:
    """Put an element into a map; OSError with the kernel's errno."""
    there = key in target.elements or _is_index(target, key)
    if flags & 3 == UpdateFlag.NOEXIST and there:
        raise refusal(Errno.EEXIST)
    if flags & 3 == UpdateFlag.EXIST and not there:
        raise refusal(Errno.ENOENT)
    if not there and (target.number("map_type") in ARRAYS or len(target.elements) >= target.number("max_entries")):
        if target.number("map_type") not in LEAST_RECENTLY_USED:
            raise refusal(Errno.E2BIG)
        del target.elements[next(iter(target.elements))]
    target.elements[key] = value


def delete(objects: MockObjects, call: Call) -> int:
    """MAP_DELETE_ELEM: ENOENT for what is not there, EINVAL in an array."""
    target = objects.map(call.fields["map_fd"])
    if target.number("map_type") in ARRAYS:
        raise refusal(Errno.EINVAL)
    if target.elements.pop(_bytes(call, "key"), None) is None:
        raise refusal(Errno.ENOENT)
    return 0


def next_key(objects: MockObjects, call: Call) -> int:
    """MAP_GET_NEXT_KEY: keys in the order in which they came; the first one after a key that is not there."""
    target = objects.map(call.fields["map_fd"])
    keys = list(_keys(target))
    given = call.fields["key"]
    at = keys.index(given) + 1 if given in keys else 0
    if at >= len(keys):
        raise refusal(Errno.ENOENT)
    call.fill("next_key", keys[at])
    return 0


def freeze(objects: MockObjects, call: Call) -> int:
    """MAP_FREEZE: the system call cannot write to the map any more."""
    objects.map(call.fields["map_fd"]).frozen = True
    return 0


def _keys(target: MockMap) -> Iterator[bytes]:
    if target.number("map_type") in ARRAYS:
        return (at.to_bytes(4, sys.byteorder) for at in range(target.number("max_entries")))
    return iter(target.elements)


def _element(target: MockMap, call: Call) -> bytes:
    key = _bytes(call, "key")
    if key in target.elements:
        return target.elements[key]
    if _is_index(target, key):
        return bytes(call.room["value"][2])
    raise refusal(Errno.ENOENT)


def _is_index(target: MockMap, key: bytes) -> bool:
    return target.number("map_type") in ARRAYS and int.from_bytes(key, sys.byteorder) < target.number("max_entries")


def _end(target: MockMap, *, take: bool) -> bytes:
    if not target.queue:
        raise refusal(Errno.ENOENT)
    at = -1 if target.number("map_type") == LAST_IN_FIRST_OUT else 0
    return target.queue.pop(at) if take else target.queue[at]


def _bytes(call: Call, name: str) -> bytes:
    value = call.fields.get(name)
    if not isinstance(value, bytes):
        raise refusal(Errno.EFAULT)
    return value
