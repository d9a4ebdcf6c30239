"""What a consumer counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counters:
    """A consumer's counters at one moment; received = delivered + dropped + pending.

    `bytes` is the data of all events received. `discarded` records were given up by the program. `lost` ones did
    not fit into the buffer, as far as the kernel says so (the perf buffer does; a ring buffer's program sees that
    its reserve fails). `lag` is the bytes in the buffer that are not read yet, headers and unfinished records
    included.
    """

    received: int = 0
    delivered: int = 0
    dropped: int = 0
    pending: int = 0
    bytes: int = 0
    discarded: int = 0
    lost: int = 0
    lag: int = 0

    def __str__(self) -> str:
        shown = {name: getattr(self, name) for name in self.__slots__}
        return ", ".join(f"{number} {name}" for name, number in shown.items() if number) or "nothing received"


class Counted(ABC):
    """Something with counters, each readable by its name."""

    @property
    @abstractmethod
    def counters(self) -> Counters:
        """All counters at this moment, or at the close."""

    @property
    def received(self) -> int:
        """Events read from the buffer: delivered + dropped + pending."""
        return self.counters.received

    @property
    def delivered(self) -> int:
        """Events handed out."""
        return self.counters.delivered

    @property
    def dropped(self) -> int:
        """Events that the policy dropped."""
        return self.counters.dropped

    @property
    def pending(self) -> int:
        """Events read and not handed out yet."""
        return self.counters.pending

    @property
    def bytes(self) -> int:
        """Bytes of data of all events received."""
        return self.counters.bytes

    @property
    def discarded(self) -> int:
        """Records that the program gave up."""
        return self.counters.discarded

    @property
    def lost(self) -> int:
        """Events that found the buffer full, as far as the kernel says so."""
        return self.counters.lost

    @property
    def lag(self) -> int:
        """Bytes in the buffer that are not read yet, headers and unfinished records included."""
        return self.counters.lag
