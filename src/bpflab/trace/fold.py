"""Loops folded: of a stretch of lines that repeats, the first round and the last one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpflab.trace.model import Visit

LONGEST_ROUND: Final = 48
LEAST_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Fold:
    """`rounds` rounds of a loop are not shown here, each of `visits` visits."""

    rounds: int
    visits: int
    depth: int


def folded(visits: Sequence[Visit]) -> Iterator[Visit | Fold]:
    """Yield the visits with a Fold in the place of all rounds of a loop between its first and its last."""
    keys = _numbered(visits)
    at = 0
    while at < len(visits):
        length, rounds = _loop(keys, at)
        if not length:
            yield visits[at]
            at += 1
            continue
        end = at + length * rounds
        yield from folded(visits[at : at + length])
        yield Fold(rounds - 2, length, visits[at].depth)
        yield from folded(visits[end - length : end])
        at = end


def _numbered(visits: Sequence[Visit]) -> list[int]:
    numbers: dict[object, int] = {}
    return [numbers.setdefault(visit.place, len(numbers)) for visit in visits]


def _loop(keys: list[int], at: int) -> tuple[int, int]:
    """Find the loop that begins at a visit: the shortest round that repeats often enough; (0, 0) for none."""
    for length in range(1, min(LONGEST_ROUND, (len(keys) - at) // LEAST_ROUNDS) + 1):
        if keys[at + length] != keys[at]:
            continue
        rounds = _rounds(keys, at, length)
        if rounds >= LEAST_ROUNDS:
            return length, rounds
    return 0, 0


def _rounds(keys: list[int], at: int, length: int) -> int:
    body, count = keys[at : at + length], 1
    while keys[at + count * length : at + (count + 1) * length] == body:
        count += 1
    return count
