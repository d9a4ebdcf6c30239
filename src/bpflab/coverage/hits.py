"""What ran of one program, as bits by instruction slot."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hits:
    """The instructions that were executed, and the conditional jumps that were taken and that were not.

    Each is a number whose bit n stands for slot n.
    """

    executed: int = 0
    taken: int = 0
    fallen: int = 0

    def __or__(self, other: Hits) -> Hits:
        return Hits(self.executed | other.executed, self.taken | other.taken, self.fallen | other.fallen)

    @property
    def edges(self) -> int:
        """How many different edges of conditional jumps were gone."""
        return self.taken.bit_count() + self.fallen.bit_count()


def bits(marks: bytes | bytearray) -> int:
    """Turn a byte a slot, 0 or 1, into a number of one bit a slot."""
    digits = bytes(marks[::-1]).translate(bytes.maketrans(b"\0\1", b"01"))
    return int(digits, 2) if digits else 0
