"""The words that a red-black tree is made of: parents, children, colours, and turning a part of a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.sim.memory import Memory

WORD: Final = 8
PARENT: Final = 0
RIGHT: Final = 8
LEFT: Final = 16
OWNER: Final = 24
RED: Final = 0
BLACK: Final = 1


class Links:
    """Links between the nodes of the tree whose root is at an address; 0 is no node, and black."""

    def __init__(self, memory: Memory, root: int) -> None:
        self.memory = memory
        self.root = root

    @property
    def top(self) -> int:
        """The node at the top."""
        return self.memory.load(self.root, WORD)

    def owner(self, node: int) -> int:
        """Return the root of the tree that a node is in."""
        return self.memory.load(node + OWNER, WORD)

    def child(self, node: int, side: int) -> int:
        """Return the child on a side."""
        return self.memory.load(node + side, WORD)

    def parent(self, node: int) -> int:
        """Return what is above a node."""
        return self.memory.load(node + PARENT, WORD) & ~BLACK

    def colour(self, node: int) -> int:
        """Return RED or BLACK."""
        return self.memory.load(node + PARENT, WORD) & BLACK if node else BLACK

    def side(self, node: int) -> int:
        """Return on which side of its parent a node is; LEFT at the top."""
        parent = self.parent(node) if node else 0
        return RIGHT if parent and self.child(parent, RIGHT) == node else LEFT

    def paint(self, node: int, colour: int) -> None:
        """Set a colour."""
        if node:
            self.memory.store(node + PARENT, WORD, self.parent(node) | colour)

    def attach(self, parent: int, side: int, node: int) -> None:
        """Put a node, or none, on a side of a parent; at the top without parent."""
        if parent:
            self.memory.store(parent + side, WORD, node)
        else:
            self._set_top(node)
        if node:
            self.memory.store(node + PARENT, WORD, parent | self.colour(node))

    def replace(self, node: int, by: int) -> None:
        """Put another node, or none, where a node is."""
        self.attach(self.parent(node), self.side(node), by)

    def rotate(self, node: int, side: int) -> None:
        """Turn a node down to a side; its child on the other side comes up."""
        other = LEFT if side == RIGHT else RIGHT
        up = self.child(node, other)
        below = self.child(up, side)
        self.replace(node, up)
        self.attach(up, side, node)
        self.attach(node, other, below)

    def begin(self, node: int, parent: int, side: int) -> None:
        """Put a new node, red and without children, below a parent."""
        for offset, value in ((PARENT, RED), (LEFT, 0), (RIGHT, 0), (OWNER, self.root)):
            self.memory.store(node + offset, WORD, value)
        self.attach(parent, side, node)

    def end(self, node: int) -> None:
        """Make a node one of no tree."""
        for offset in (PARENT, LEFT, RIGHT, OWNER):
            self.memory.store(node + offset, WORD, 0)

    def _set_top(self, node: int) -> None:
        self.memory.store(self.root, WORD, node)
