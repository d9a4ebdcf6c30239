"""How a batch lookup walks a map: by keys, or by the places of a hash map's elements."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim import user
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.maps.hash import KeyedMap
    from bpflab.sim.request import Request

LOCK: Final = 4
TOKEN_SIZE: Final = 4
"""A hash map's token is a u32: the number of a bucket in the kernel, of an insertion here."""


def by_key(target: SimMap, request: Request) -> int:
    """Walk with next_key; the token is the last key (kernel/bpf/syscall.c, generic_map_lookup_batch)."""
    check_flags(target, request)
    count, size = request["count"], target.user_value_size
    if not count:
        return 0
    request.answer("count", 0)
    key = user.read(request["in_batch"], target.key_size) if request["in_batch"] else None
    done, error = 0, 0
    while done < count:
        try:
            key = target.next_key(key)
        except Refusal as refusal:
            error = -refusal.errno
            break
        try:
            value = target.sys_lookup(key, request["elem_flags"])
        except Refusal as refusal:
            if refusal.errno == Errno.ENOENT:
                continue
            raise
        user.write(request["keys"] + done * target.key_size, key)
        user.write(request["values"] + done * size, value)
        done += 1
    request.answer("count", done)
    if done and key is not None:
        user.write(request["out_batch"], key)
    return error


def by_place(target: KeyedMap, request: Request, *, delete: bool) -> int:
    """Walk in the order of insertion; ENOENT tells that nothing is left (kernel/bpf/hashtab.c)."""
    check_flags(target, request)
    refuse_if(request["flags"])
    count, size = request["count"], target.user_value_size
    if not count:
        return 0
    request.answer("count", 0)
    place = int.from_bytes(user.read(request["in_batch"], TOKEN_SIZE), sys.byteorder) if request["in_batch"] else 0
    found = target.from_place(place, count)
    for index, element in enumerate(found):
        user.write(request["keys"] + index * target.key_size, element.key)
        user.write(request["values"] + index * size, target.user_value(element))
        place = element.number
    more = len(found) == count and target.more_after(found[-1])
    if delete:
        for element in found:
            target.delete(element.key)
    user.write(request["out_batch"], place.to_bytes(TOKEN_SIZE, sys.byteorder))
    request.answer("count", len(found))
    return 0 if more else -Errno.ENOENT


def check_flags(target: SimMap, request: Request) -> None:
    """Refuse flags other than LOCK, and LOCK for values without a lock."""
    flags = request["elem_flags"]
    refuse_if(flags & ~LOCK or (flags & LOCK and not target.has_lock))
