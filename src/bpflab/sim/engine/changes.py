"""What a helper changed in memory: the bytes that differ after its call."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, groupby, takewhile
from typing import TYPE_CHECKING

from bpflab.sim.memory import FIRST_SCOPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.engine.run import Run
    from bpflab.sim.memory import Memory, Region


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Bytes that an instruction put at an address, the region they lie in, and what stood there `before`."""

    address: int
    data: bytes
    region: str
    before: bytes = b""


class Changes:
    """Copies the memory that a helper may reach before its call, and finds what is different after it.

    That is the memory of the run's own regions, and of those that r1 to r5 point into. A byte of stack that was never
    written counts as changed once it is. A region that was replaced or moved as a whole is not compared.
    """

    def __init__(self, run: Run) -> None:
        regions = {region.number: region for region in (*_scoped(run.memory), *_pointed(run))}
        self._kept = [(region, bytes(region.data), region.unwritten) for region in regions.values()]

    def found(self) -> Iterator[WriteRecord]:
        """Yield what changed, in order of addresses within each region."""
        for region, old, unwritten in self._kept:
            if region.alive and len(region.data) == len(old):
                yield from _differences(region, old, unwritten & ~region.unwritten)


def _scoped(memory: Memory) -> Iterator[Region]:
    """Yield the regions that live as long as a run: their numbers follow on each other while it lasts."""
    numbers = takewhile(memory.regions.__contains__, count(FIRST_SCOPED))
    return (memory.regions[number] for number in numbers)


def _pointed(run: Run) -> Iterator[Region]:
    """Yield the regions that r1 to r5 point into."""
    for value in run.regs[1:6]:
        region = run.memory.find(value or 0)  # a register that was never set is None
        if region is not None:
            yield region


def _differences(region: Region, old: bytes, first_written: int) -> Iterator[WriteRecord]:
    new = bytes(region.data)
    if new == old and not first_written:
        return
    changed = (at for at in range(len(new)) if new[at] != old[at] or first_written >> at & 1)
    for _, run in groupby(enumerate(changed), lambda pair: pair[1] - pair[0]):
        places = [at for _, at in run]
        start, stop = places[0], places[-1] + 1
        yield WriteRecord(region.address + start, new[start:stop], region.title, old[start:stop])
