"""Lists of a program's objects, linked in simulated memory as the kernel links them (struct bpf_list_node_kern).

A head is two pointers, next and previous; a node has a third one, to the head of the list that it is in. A head of
zeros is an empty list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.memory import Memory

NEXT: Final = 0
PREVIOUS: Final = 8
OWNER: Final = 16
WORD: Final = 8


class List:
    """The list whose head is at an address."""

    def __init__(self, memory: Memory, head: int) -> None:
        self.memory = memory
        self.head = head

    def __iter__(self) -> Iterator[int]:
        at = self._link(self.head, NEXT)
        while at and at != self.head:
            yield at
            at = self._link(at, NEXT)

    def first(self) -> int:
        """Return the first node, 0 if there is none."""
        found = self._link(self.head, NEXT)
        return 0 if found == self.head else found

    def last(self) -> int:
        """Return the last node, 0 if there is none."""
        found = self._link(self.head, PREVIOUS)
        return 0 if found == self.head else found

    def push(self, node: int, *, front: bool) -> bool:
        """Add a node at an end; False if it is in a list already."""
        if self._link(node, OWNER):
            return False
        if not self._link(self.head, NEXT):
            self._join(self.head, self.head)
        before = self.head if front else self._link(self.head, PREVIOUS)
        after = self._link(before, NEXT)
        self._join(before, node)
        self._join(node, after)
        self.memory.store(node + OWNER, WORD, self.head)
        return True

    def pop(self, *, front: bool) -> int:
        """Take a node from an end and return it, 0 if there is none."""
        node = self.first() if front else self.last()
        if node:
            self._join(self._link(node, PREVIOUS), self._link(node, NEXT))
            for offset in (NEXT, PREVIOUS, OWNER):
                self.memory.store(node + offset, WORD, 0)
        return node

    def _link(self, node: int, offset: int) -> int:
        return self.memory.load(node + offset, WORD)

    def _join(self, before: int, after: int) -> None:
        self.memory.store(before + NEXT, WORD, after)
        self.memory.store(after + PREVIOUS, WORD, before)
