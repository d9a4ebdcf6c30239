"""PERF_EVENT_ARRAY: the perf events that programs write to, by CPU."""

from __future__ import annotations

from typing import ClassVar

from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.slots import SlotMap
from bpflab.sim.perf import SimPerfEvent
from bpflab.sim.refusal import Refusal


class PerfEventArrayMap(SlotMap):
    """PERF_EVENT_ARRAY."""

    shows_ids: ClassVar[bool] = False

    def find(self, fd: int) -> SimPerfEvent:
        """Return the perf event of a descriptor; EBADF for anything else."""
        event = self.kernel.files.get(fd).object
        if not isinstance(event, SimPerfEvent):
            raise Refusal(Errno.EBADF)
        event.get()
        return event

    def output(self, index: int, data: bytes) -> int:
        """Write a sample to the event at an index, as perf_event_output does on the current CPU."""
        if index >= self.max_entries:
            return -Errno.E2BIG
        event = self.slots.get(index)
        if not isinstance(event, SimPerfEvent):
            return -Errno.ENOENT
        if not event.takes_output:
            return -Errno.EINVAL
        return event.output(data) if event.cpu == self.kernel.cpu else -Errno.EOPNOTSUPP


TYPES = {MapType.PERF_EVENT_ARRAY: PerfEventArrayMap}
