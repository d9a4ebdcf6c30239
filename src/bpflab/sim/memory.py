"""The simulated kernel's memory: regions, addresses, and a check on every access.

An address is the number of a region << 32 | the offset in it. Numbers are given in order, so the
same acts give the same addresses in every run. Two ranges of numbers are kept apart: regions of
a `Scope` (stack, context, packet, whatever lives as long as a run) and lasting ones (map values,
map objects), so that a run leaves nothing in the table.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Self

from bpflab.abi.insn import STACK_SIZE
from bpflab.sim.misuse import misuse, wild
from bpflab.sim.region import OFFSET_BITS, Region, RegionKind

if TYPE_CHECKING:
    from types import TracebackType

    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.fault import Fault

__all__ = ["OFFSET_BITS", "OFFSET_MASK", "Memory", "Region", "RegionKind", "Scope"]

OFFSET_MASK: Final = (1 << OFFSET_BITS) - 1
ADDRESS_MASK: Final = (1 << 64) - 1
MAX_REGION_SIZE: Final = 1 << 31
"""Regions are smaller than this, so an address just before one is told from its neighbour's."""

FIRST_SCOPED: Final = 1
FIRST_LASTING: Final = 1 << 24


class Memory:
    """All regions of one simulated kernel, by number.

    `order` is the byte order of the target. `check_uninitialised` says whether reading stack that
    was never written is a fault (the running kernel lets privileged programs do it since 6.3).
    `regions` may be read by an engine for speed; only this module changes it.
    """

    def __init__(self, order: ByteOrder = sys.byteorder, *, check_uninitialised: bool = True) -> None:
        self.order: ByteOrder = order
        self.check_uninitialised = check_uninitialised
        self.regions: dict[int, Region] = {}
        self._next_lasting = FIRST_LASTING
        self._next_scoped = FIRST_SCOPED
        self._scopes = 0
        self._dying: list[Region] = []

    def add(
        self,
        kind: RegionKind,
        data: bytearray | memoryview,
        *,
        name: str = "",
        writable: bool = True,
        owner: object = None,
    ) -> Region:
        """Give bytes an address that lasts until `remove` or `retire`."""
        number = self._next_lasting
        self._next_lasting = number + 1
        region = self.regions[number] = Region(number, kind, data, name, writable=writable, owner=owner)
        return region

    def remove(self, region: Region) -> None:
        """End a region now: its address answers with "use after free"."""
        region.kill()
        self.retire(region)

    def retire(self, region: Region) -> None:
        """End a region once no scope is open: what RCU promises to a program that is running."""
        if self._scopes:
            self._dying.append(region)
        else:
            self._forget(region)

    def scope(self) -> Scope:
        """Open a scope, a context manager that holds the regions of one run."""
        return Scope(self)

    def find(self, address: int) -> Region | None:
        """Find the region an address belongs to by its number, alive or not, within its bounds or not."""
        return self.regions.get(address >> OFFSET_BITS)

    def span(self, address: int, size: int, *, write: bool = False) -> tuple[Region, int]:
        """Region and offset of `size` bytes that may be accessed. Raises `Fault`."""
        region = self.regions.get(address >> OFFSET_BITS)
        offset = address & OFFSET_MASK
        if region is None or offset < region.low or offset + size > region.high or (write and not region.writable):
            raise self.fault(address, size, write=write)
        return region, offset

    def load(self, address: int, size: int) -> int:
        """Read an unsigned integer of `size` bytes in the target's byte order. Raises `Fault`."""
        return int.from_bytes(self.read(address, size), self.order)

    def store(self, address: int, size: int, value: int) -> None:
        """Write the low `size` bytes of an integer in the target's byte order. Raises `Fault`."""
        self.write(address, (value & ((1 << size * 8) - 1)).to_bytes(size, self.order))

    def read(self, address: int, size: int) -> bytes:
        """Copy bytes out. Raises `Fault`, also for a byte of stack that was never written."""
        region, offset = self.span(address, size)
        missing = region.unwritten and region.unwritten >> offset & ((1 << size) - 1)
        if missing and not region.forgives(offset, size):
            raise self.fault(address, size)
        return bytes(region.data[offset : offset + size])

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Copy bytes in. Raises `Fault`."""
        size = len(data)
        region, offset = self.span(address, size, write=True)
        region.data[offset : offset + size] = data
        if region.unwritten:
            region.unwritten &= ~(((1 << size) - 1) << offset)

    def fault(self, address: int, size: int, *, write: bool = False) -> Fault:
        """Name the fault that an access is, for a caller who found that something is wrong with it."""
        address &= ADDRESS_MASK
        number, offset = address >> OFFSET_BITS, address & OFFSET_MASK
        region = self.regions.get(number)
        if offset >= MAX_REGION_SIZE and number + 1 in self.regions:
            region, offset = self.regions[number + 1], offset - (1 << OFFSET_BITS)
        if region is None:
            freed = FIRST_LASTING <= number < self._next_lasting
            return wild(address, size, write=write, freed=freed)
        return misuse(region, address, offset, size, write=write)

    def _forget(self, region: Region) -> None:
        self.regions.pop(region.number, None)
        region.kill()


class Scope:
    """The regions of one run; closing it forgets them. Use as a context manager."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._regions: list[Region] = []
        self._stacks: list[Region] = []
        self._unwritten = (1 << STACK_SIZE) - 1 if memory.check_uninitialised else 0
        self._closed = False
        memory._scopes += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(
        self,
        kind: RegionKind,
        data: bytearray | memoryview,
        *,
        name: str = "",
        writable: bool = True,
        owner: object = None,
    ) -> Region:
        """Give bytes an address that lasts until the scope closes; `Memory.remove` may end it earlier."""
        memory = self.memory
        number = memory._next_scoped
        memory._next_scoped = number + 1
        region = memory.regions[number] = Region(number, kind, data, name, writable=writable, owner=owner)
        self._regions.append(region)
        return region

    def open_stack(self) -> Region:
        """Give a function's stack, zero and as if never written; the same ones are used over and over."""
        if self._stacks:
            region = self._stacks.pop()
            region.renew()
        else:
            region = self.add(RegionKind.STACK, bytearray(STACK_SIZE))
        region.unwritten = self._unwritten
        return region

    def clear_stack(self, region: Region) -> None:
        """Make a stack as if never written: another program goes on with it."""
        region.unwritten = self._unwritten

    def close_stack(self, region: Region) -> None:
        """Take back the stack of a function that ended; pointers to it are no longer valid."""
        region.kill()
        self._stacks.append(region)

    def close(self) -> None:
        """Forget the regions, and with the last scope whatever waited for it. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        memory = self.memory
        memory._scopes -= 1
        done = self._regions
        if not memory._scopes:
            memory._next_scoped = FIRST_SCOPED
            done = done + memory._dying
            memory._dying = []
        for region in done:
            memory._forget(region)
