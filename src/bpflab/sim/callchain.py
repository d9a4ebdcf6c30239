"""Call chains as programs get them: addresses, or build ids with offsets (kernel/bpf/stackmap.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.tasks import Task

SKIP: Final = 0xFF
USER: Final = 1 << 8
USER_BUILD_ID: Final = 1 << 11
"""Flags of linux/bpf.h: how many calls to leave out, the process's stack, build ids for its addresses."""
ADDRESS: Final = 8
BUILD_ID: Final = 20
BUILD_ID_ENTRY: Final = 32
VALID, PLAIN_IP = 1, 2
"""States of an entry of struct bpf_stack_build_id: a build id and offset, or an address alone."""


def entries(task: Task, flags: int, order: ByteOrder, *, build_ids: bool) -> list[bytes]:
    """Return a task's calls from the innermost on, those left out that the flags skip."""
    chain = task.user_stack if flags & USER else task.kernel_stack
    make = _with_build_id if build_ids else _address
    return [make(call, order) for call in chain][flags & SKIP :]


def depth(task: Task, flags: int) -> int:
    """Return how many calls there are, with those that are skipped."""
    return len(task.user_stack if flags & USER else task.kernel_stack)


def copied(task: Task, flags: int, size: int, order: ByteOrder) -> bytes | Errno:
    """Return what get_stack copies into `size` bytes; EINVAL for flags and sizes that it does not take, EFAULT."""
    build_ids = bool(flags & USER_BUILD_ID)
    refused = flags & ~(SKIP | USER | USER_BUILD_ID) or (build_ids and not flags & USER)
    if refused or size % (BUILD_ID_ENTRY if build_ids else ADDRESS):
        return Errno.EINVAL
    total = depth(task, flags)
    if not total or total < flags & SKIP:
        return Errno.EFAULT
    return b"".join(entries(task, flags, order, build_ids=build_ids))[:size]


def _address(call: int | tuple[bytes, int], order: ByteOrder) -> bytes:
    return (call if isinstance(call, int) else call[1]).to_bytes(ADDRESS, order)


def _with_build_id(call: int | tuple[bytes, int], order: ByteOrder) -> bytes:
    build_id, place = (b"", call) if isinstance(call, int) else call
    state = PLAIN_IP if isinstance(call, int) else VALID
    return state.to_bytes(4, order) + build_id[:BUILD_ID].ljust(BUILD_ID, b"\0") + place.to_bytes(ADDRESS, order)
