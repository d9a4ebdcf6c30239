"""Elements of maps, many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.map_rules import MapOp
from bpflab.sim import user
from bpflab.sim.commands.map_elem import check_lock, check_operation, open_map
from bpflab.sim.files import BOTH, READ, WRITE
from bpflab.sim.maps.base import LOCK
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.request import Request


def map_lookup_batch(kernel: SimKernel, request: Request) -> int:
    """Copy up to `count` elements to the caller, and a token that says where to go on."""
    target = _open(kernel, request, READ, MapOp.LOOKUP_BATCH)
    return target.batch_lookup(request, delete=False)


def map_lookup_and_delete_batch(kernel: SimKernel, request: Request) -> int:
    """Copy up to `count` elements to the caller, and remove them."""
    target = _open(kernel, request, BOTH, MapOp.LOOKUP_AND_DELETE_BATCH)
    return target.batch_lookup(request, delete=True)


def map_update_batch(kernel: SimKernel, request: Request) -> int:
    """Insert or replace elements; `count` becomes the number of those done."""
    target = _open(kernel, request, WRITE, MapOp.UPDATE_BATCH)
    flags = request["elem_flags"]
    size = target.user_value_size

    def update(index: int) -> int:
        key = user.read(request["keys"] + index * target.key_size, target.key_size)
        return target.sys_update(key, user.read(request["values"] + index * size, size), flags)

    return _each(request, target, update)


def map_delete_batch(kernel: SimKernel, request: Request) -> int:
    """Remove elements; `count` becomes the number of those done."""
    target = _open(kernel, request, WRITE, MapOp.DELETE_BATCH)

    def delete(index: int) -> int:
        return target.sys_delete(user.read(request["keys"] + index * target.key_size, target.key_size))

    return _each(request, target, delete)


def _open(kernel: SimKernel, request: Request, mode: int, wanted: MapOp) -> SimMap:
    target = open_map(kernel, request["map_fd"], mode)
    check_operation(target, wanted)
    return target


def _each(request: Request, target: SimMap, act: Callable[[int], int]) -> int:
    refuse_if(request["elem_flags"] & ~LOCK)
    check_lock(target, request["elem_flags"])
    count = request["count"]
    if not count:
        return 0
    request.answer("count", 0)
    done, error = 0, 0
    while done < count and not error:
        try:
            error = act(done)
        except Refusal as refusal:
            error = -refusal.errno
        done += not error
    request.answer("count", done)
    return error
