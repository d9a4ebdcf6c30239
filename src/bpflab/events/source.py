"""What a consumer reads from: a buffer that a kernel fills, whichever its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from bpflab.abi.map_types import MapType
    from bpflab.lab import Lab


class EventMap(Protocol):
    """The part of a map that a consumer needs. A ring buffer's `max_entries` is its size in bytes."""

    @property
    def lab(self) -> Lab:
        """The Lab that the map belongs to."""

    @property
    def name(self) -> str:
        """The map's name, for errors."""

    @property
    def max_entries(self) -> int:
        """As the map was created."""

    def fileno(self) -> int:
        """Return the map's descriptor."""


def check_map(given: object, wanted: MapType | None) -> None:
    """Raise ArgumentError when something has not what `EventMap` says, or says that it is of another type."""
    if not all(hasattr(given, name) for name in ("lab", "name", "max_entries", "fileno")):
        raise ArgumentError(f"{given!r} is no map that events are read from; expected what lab.map() returned.")
    kind = getattr(given, "type", wanted)
    if wanted is not None and kind != wanted:
        raise ArgumentError(f"{given!r} is of type {getattr(kind, 'name', kind)}; expected a {wanted.name} map.")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one reading took out of a buffer.

    `events` is the data of each, in order, `size` the bytes of all of them. `consumed` is the room that the buffer
    got back, in bytes; 0 means that no complete record was there. `discarded` records were given up by their
    producer, `lost` ones found the buffer full (as far as the buffer says so: the perf buffer does).
    """

    events: list[bytes]
    size: int = 0
    consumed: int = 0
    discarded: int = 0
    lost: int = 0


EMPTY: Final = Batch([])


class Source(Protocol):
    """A buffer with one reader. None of its methods may run beside another, but for `wait` beside `read` and `lag`."""

    @property
    def lag(self) -> int:
        """Bytes that were written and not consumed yet, headers and unfinished records included."""

    def read(self, limit: int | None = None) -> Batch:
        """Take complete records, at most `limit` events of them; a large buffer takes several readings."""

    def wait(self, timeout: float) -> None:
        """Return when something may be there to read, at the latest after so many seconds."""

    def close(self) -> None:
        """Unmap the buffer and close its descriptors."""
