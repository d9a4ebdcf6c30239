"""The elements of a map in the order of their insertion, as a ring of links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.maps.element import Element

if TYPE_CHECKING:
    from collections.abc import Iterator


class Chain:
    """Elements linked in a ring through a head that is no element.

    The next element is found in constant time from any other, which a dict does not offer. An element
    that replaces another takes its place, so an iteration sees every element that stays, once.
    """

    __slots__ = ("_count", "head")

    def __init__(self) -> None:
        self.head = Element(b"", bytearray())
        self._count = 0

    def __iter__(self) -> Iterator[Element]:
        element = self.head.after
        while element is not self.head:
            yield element
            element = element.after

    def append(self, element: Element) -> None:
        """Add an element at the end, with the next number."""
        self._count += 1
        element.number = self._count
        head = self.head
        last = head.before
        element.before, element.after = last, head
        last.after = head.before = element

    def remove(self, element: Element) -> None:
        """Take an element out; its own links stay, so that who stands on it can go on."""
        element.before.after = element.after
        element.after.before = element.before

    def replace(self, old: Element, new: Element) -> None:
        """Put an element in the place of another."""
        new.number = old.number
        new.before, new.after = old.before, old.after
        new.before.after = new.after.before = new

    def first(self) -> Element | None:
        """Return the oldest element, None when there is none."""
        return self.following(self.head)

    def following(self, element: Element) -> Element | None:
        """Return the element after this one, None after the last."""
        return None if element.after is self.head else element.after

    def after_number(self, number: int, hint: Element | None) -> Iterator[Element]:
        """Walk on after an element's number; from `hint` if that is the element and still in the chain."""
        element = self.head.after
        if hint is not None and hint.number == number and hint.before.after is hint:
            element = hint.after
        while element is not self.head:
            if element.number > number:
                yield element
            element = element.after
