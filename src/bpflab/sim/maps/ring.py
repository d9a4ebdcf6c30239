"""A ring of nodes, from the newest to the oldest, as the lists of an LRU map are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.maps.element import Element


class Node:
    """The place of an element in the lists of an LRU map; kept when the element is removed, and used again.

    `referenced` is set by a program's lookup; `cpu` is where the element was filled.
    """

    __slots__ = ("cpu", "element", "newer", "older", "referenced", "ring")

    def __init__(self) -> None:
        self.newer: Node = self
        self.older: Node = self
        self.ring: Ring | None = None
        self.element: Element | None = None
        self.referenced = False
        self.cpu = 0

    def leave(self) -> None:
        """Take it out of its ring, if it is in one."""
        if self.ring is not None:
            self.newer.older, self.older.newer = self.older, self.newer
            self.ring.length -= 1
            self.ring = None


class Ring:
    """Nodes in a circle through a head that is none of them: its `older` is the newest, its `newer` the oldest."""

    __slots__ = ("head", "length")

    def __init__(self) -> None:
        self.head = Node()
        self.length = 0

    def push(self, node: Node) -> None:
        """Put a node that is in no ring in as the newest."""
        head = self.head
        node.newer, node.older = head, head.older
        head.older.newer = node
        head.older = node
        node.ring = self
        self.length += 1

    def oldest_first(self) -> Iterator[Node]:
        """Every node, from the oldest; the one at hand may be moved."""
        node = self.head.newer
        while node is not self.head:
            following = node.newer
            yield node
            node = following
