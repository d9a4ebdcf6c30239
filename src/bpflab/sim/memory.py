"""The simulated kernel's memory: regions, addresses, and a check on every access.

An address is the number of a region << 32 | the offset in it. Numbers are given in order, so the
same acts give the same addresses in every run. Two ranges of numbers are kept apart: regions of
a `Scope` (stack, context, packet, whatever lives as long as a run) and lasting ones (map values,
map objects), so that a run leaves nothing in the table.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from bpflab.sim.misuse import misuse, wild

if TYPE_CHECKING:
    from types import TracebackType

    from bpflab.asm.insn import ByteOrder
    from bpflab.sim.fault import Fault

OFFSET_BITS: Final = 32
OFFSET_MASK: Final = (1 << OFFSET_BITS) - 1
ADDRESS_MASK: Final = (1 << 64) - 1
MAX_REGION_SIZE: Final = 1 << 31
"""Regions are smaller than this, so an address just before one is told from its neighbour's."""

FIRST_SCOPED: Final = 1
FIRST_LASTING: Final = 1 << 24


class RegionKind(StrEnum):
    """What a region is, in the words a fault uses."""

    STACK = "stack"
    CONTEXT = "context"
    PACKET = "packet"
    MAP_VALUE = "map value"
    RODATA = "read-only data"
    RINGBUF_RECORD = "ringbuf record"
    BUFFER = "buffer"
    SOCKET = "socket"
    MAP = "map object"
    KERNEL_OBJECT = "kernel object"
    CODE = "program code"


class Region:
    """A run of bytes with an address.

    `data` is shared with its owner, never copied. Only `data[low:high]` is valid: a packet's window
    moves, an opaque object's is empty. `shadow`, where there is one, holds a byte for each byte of
    data: 1 once it was written; reading one that was not is a fault. `owner` is whatever the
    creator wants to find again by address.
    """

    __slots__ = ("alive", "data", "high", "kind", "low", "name", "number", "owner", "shadow", "writable")

    def __init__(
        self, number: int, kind: RegionKind, data: bytearray | memoryview, name: str, *, writable: bool, owner: object
    ) -> None:
        self.number = number
        self.kind = kind
        self.data = data
        self.name = name
        self.writable = writable
        self.owner = owner
        self.alive = True
        self.low = 0
        self.high = len(data)
        self.shadow: bytearray | None = None

    def __repr__(self) -> str:
        return f"<Region {self.address:#x} {self.title} [{self.low}:{self.high}]>"

    @property
    def address(self) -> int:
        """The address of `data[0]`."""
        return self.number << OFFSET_BITS

    @property
    def start(self) -> int:
        """The address of the first valid byte."""
        return self.address + self.low

    @property
    def end(self) -> int:
        """The address after the last valid byte."""
        return self.address + self.high

    @property
    def title(self) -> str:
        """Kind and name, as a fault shows them."""
        return f"{self.kind} {self.name!r}" if self.name else str(self.kind)

    def kill(self) -> None:
        """Make every access a "use after free" for as long as the region is in the table."""
        self.alive = False
        self.low = self.high = 0

    def renew(self) -> None:
        """Make a killed region valid again, all zero and as if never written: a new stack frame."""
        self.alive = True
        self.high = len(self.data)
        self.data[:] = bytes(self.high)
        if self.shadow is not None:
            self.shadow = bytearray(self.high)


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
        if region.shadow is not None and region.shadow.find(0, offset, offset + size) >= 0:
            raise self.fault(address, size)
        return bytes(region.data[offset : offset + size])

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Copy bytes in. Raises `Fault`."""
        size = len(data)
        region, offset = self.span(address, size, write=True)
        region.data[offset : offset + size] = data
        if region.shadow is not None:
            region.shadow[offset : offset + size] = b"\x01" * size

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

    def add_stack(self, size: int, *, name: str = "") -> Region:
        """Fresh stack; its bytes fault when read before written, if the memory checks that."""
        region = self.add(RegionKind.STACK, bytearray(size), name=name)
        if self.memory.check_uninitialised:
            region.shadow = bytearray(size)
        return region

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
