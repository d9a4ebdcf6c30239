"""A region: a run of bytes with an address, and what may be done with them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

OFFSET_BITS: Final = 32


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
    USER = "user memory"
    CODE = "program code"


class Region:
    """A run of bytes with an address.

    `data` is shared with its owner, never copied. Only `data[low:high]` is valid: a packet's window
    moves, an opaque object's is empty. `unwritten` has a bit for each byte of data that nobody wrote
    yet and whose reading is a fault (bit 0 for the first byte); 0 for most regions. `owner` is
    whatever the creator wants to find again by address. `forgiving`, if set, hears of reads of unwritten bytes,
    which are zeros then.
    """

    __slots__ = (
        "alive",
        "data",
        "forgiving",
        "high",
        "kind",
        "low",
        "name",
        "number",
        "owner",
        "unwritten",
        "writable",
    )

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
        self.unwritten = 0
        self.forgiving: Callable[[int, int], None] | None = None

    def forgives(self, offset: int, size: int) -> bool:
        """Tell whether bytes that nobody wrote may be read as zeros, and whoever wants to know hears of it."""
        if self.forgiving is None:
            return False
        self.forgiving(offset, size)
        return True

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
        """Make a killed region valid again, and all zero."""
        self.alive = True
        self.high = len(self.data)
        self.data[:] = bytes(self.high)
