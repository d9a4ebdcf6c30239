"""mmap(2) of the simulated kernel's objects, with the running kernel's refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.sim.files import READ, WRITE
from bpflab.sim.maps.arena import ArenaMap
from bpflab.sim.maps.base import SimMap
from bpflab.sim.perf import SimPerfEvent
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.shared import PAGE_SIZE

if TYPE_CHECKING:
    from bpflab.sim.files import OpenFile
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.shared import Mapping, SharedMemory


def map_memory(kernel: SimKernel, fd: int, length: int, offset: int, *, writable: bool) -> Mapping:
    """Map an array, ring buffer, arena or perf event; ENODEV for what has no memory to map."""
    file = kernel.files.get(fd)
    refuse_if(length <= 0 or offset < 0 or offset % PAGE_SIZE)
    refuse_if(not file.mode & READ or (writable and not file.mode & WRITE), Errno.EACCES)
    shared = _memory(file, length, offset, writable=writable)
    target = file.object
    target.get()
    target.opened()

    def unmapped() -> None:
        with kernel.lock:
            if writable and isinstance(target, SimMap):
                target.writers -= 1
            target.closed()
            target.put()

    mapping = shared.map(offset, length, writable=writable, closed=unmapped)
    if isinstance(target, SimMap):
        target.writers += writable
    if isinstance(target, ArenaMap):
        target.mapped(mapping)
    return mapping


def _memory(file: OpenFile, length: int, offset: int, *, writable: bool) -> SharedMemory:
    target = file.object
    if isinstance(target, SimPerfEvent):
        refuse_if(offset)
        return target.map(length)
    if not isinstance(target, SimMap):
        raise Refusal(Errno.ENODEV)
    refuse_if(target.fields, Errno.ENOTSUPP)
    refuse_if(type(target).check_map is SimMap.check_map, Errno.ENOTSUPP)
    refuse_if(not file.mode & WRITE)
    refuse_if(writable and target.frozen, Errno.EPERM)
    refuse_if(writable and target.flags & MapFlag.RDONLY_PROG, Errno.EACCES)
    target.check_map(offset, length, writable=writable)
    return target.shared()
