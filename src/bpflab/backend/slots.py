"""Prebuilt attrs for the calls that are made thousands of times.

A slot owns its attr and its buffers, so a call packs two integers and goes. Slots are kept in a pool (a
list: pop and append are atomic), which costs no more than thread-local storage and less than a lock; a
thread that finds the pool empty makes another slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

SlotT = TypeVar("SlotT")


class SlotPool(Generic[SlotT]):
    """Slots made on demand and used again. `take()` one, and `give` it back when the call is done.

    Where each call of a Python function counts, `pop()` a slot and, on IndexError, `make()` one.
    """

    __slots__ = ("_free", "give", "make", "pop")

    def __init__(self, make: Callable[[], SlotT]) -> None:
        self.make = make
        self._free: list[SlotT] = []
        self.give = self._free.append
        self.pop = self._free.pop

    def take(self) -> SlotT:
        """Return a slot that nobody else holds."""
        try:
            return self.pop()
        except IndexError:
            return self.make()

    def clear(self) -> None:
        """Forget the slots that nobody holds, as their owner does when it closes."""
        self._free.clear()
