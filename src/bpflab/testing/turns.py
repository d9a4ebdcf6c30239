"""Orders in which CPUs take turns, for races that hypothesis explores (`Lab.race`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence


def turns(*, switches: int = 12, longest: int = 30) -> st.SearchStrategy[Sequence[int]]:
    """Draw turns: how many instructions one CPU executes before the next goes on.

    At most `switches` of them, of at most `longest` instructions. Shrinks to few switches, to none at the best.
    """
    return st.lists(st.integers(0, longest), max_size=switches)
