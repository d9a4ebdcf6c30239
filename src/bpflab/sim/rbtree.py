"""Red-black trees of a program's objects, linked in memory as the kernel links them (struct bpf_rb_node_kern).

A node is four words: its parent with the colour in the lowest bit, right child, left child, and the root of the tree
that it is in. Trees are balanced by the kernel's rules, so that left, right and root give the same nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.sim.rbtree_links import BLACK, LEFT, RED, RIGHT, Links

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpflab.sim.memory import Memory

OTHER: Final = {LEFT: RIGHT, RIGHT: LEFT}


class Tree:
    """The tree whose root is at an address."""

    def __init__(self, memory: Memory, root: int) -> None:
        self.links = Links(memory, root)

    def __iter__(self) -> Iterator[int]:
        yield from self._ordered(self.links.top)

    @property
    def root(self) -> int:
        """The node at the top, 0 for an empty tree."""
        return self.links.top

    def first(self) -> int:
        """Return the least node, 0 if there is none."""
        return self._outermost(self.links.top, LEFT)

    def child(self, node: int, side: int) -> int:
        """Return the child of a node on a side (LEFT or RIGHT); 0 if there is none, or the node is not of this tree."""
        return self.links.child(node, side) if self.links.owner(node) == self.links.root else 0

    def add(self, node: int, less: Callable[[int, int], bool]) -> bool:
        """Add a node by an order; False if it is in a tree already."""
        links = self.links
        if links.owner(node):
            return False
        parent, at, side = 0, links.top, LEFT
        while at:
            parent, side = at, LEFT if less(node, at) else RIGHT
            at = links.child(at, side)
        links.begin(node, parent, side)
        self._balance_added(node)
        return True

    def remove(self, node: int) -> bool:
        """Take a node out; False if it is not of this tree."""
        links = self.links
        if links.owner(node) != links.root:
            return False
        left, right = links.child(node, LEFT), links.child(node, RIGHT)
        if left and right:
            self._trade(node, self._outermost(right, LEFT))
            left, right = links.child(node, LEFT), links.child(node, RIGHT)
        child, parent = left or right, links.parent(node)
        side = links.side(node)
        links.replace(node, child)
        if child:
            links.paint(child, BLACK)
        elif links.colour(node) == BLACK:
            self._balance_removed(parent, side)
        links.end(node)
        return True

    def _ordered(self, node: int) -> Iterator[int]:
        if node:
            yield from self._ordered(self.links.child(node, LEFT))
            yield node
            yield from self._ordered(self.links.child(node, RIGHT))

    def _outermost(self, node: int, side: int) -> int:
        while node and (further := self.links.child(node, side)):
            node = further
        return node

    def _trade(self, node: int, follower: int) -> None:
        """Let a node and the one that follows it below it change places and colours."""
        links = self.links
        first, second = links.colour(node), links.colour(follower)
        right_below, parent = links.child(follower, RIGHT), links.parent(follower)
        left, right = links.child(node, LEFT), links.child(node, RIGHT)
        links.replace(node, follower)
        links.attach(follower, LEFT, left)
        if parent == node:
            links.attach(follower, RIGHT, node)
        else:
            links.attach(follower, RIGHT, right)
            links.attach(parent, LEFT, node)
        links.attach(node, LEFT, 0)
        links.attach(node, RIGHT, right_below)
        links.paint(follower, first)
        links.paint(node, second)

    def _balance_added(self, node: int) -> None:
        links = self.links
        while (parent := links.parent(node)) and links.colour(parent) == RED:
            above, side = links.parent(parent), links.side(parent)
            uncle = links.child(above, OTHER[side])
            if links.colour(uncle) == RED:
                links.paint(parent, BLACK)
                links.paint(uncle, BLACK)
                links.paint(above, RED)
                node = above
                continue
            if links.side(node) != side:
                links.rotate(parent, side)
                node, parent = parent, node
            links.paint(parent, BLACK)
            links.paint(above, RED)
            links.rotate(above, OTHER[side])
        links.paint(links.top, BLACK)

    def _balance_removed(self, parent: int, side: int) -> None:
        """Make up for a black node that is missing on a side of a parent."""
        links = self.links
        while parent:
            other = OTHER[side]
            sibling = links.child(parent, other)
            if links.colour(sibling) == RED:
                links.paint(sibling, BLACK)
                links.paint(parent, RED)
                links.rotate(parent, side)
                sibling = links.child(parent, other)
            near, far = links.child(sibling, side), links.child(sibling, other)
            if links.colour(near) == BLACK and links.colour(far) == BLACK:
                links.paint(sibling, RED)
                if links.colour(parent) == RED:
                    links.paint(parent, BLACK)
                    return
                parent, side = links.parent(parent), links.side(parent)
                continue
            if links.colour(far) == BLACK:
                links.rotate(sibling, other)
                links.paint(near, BLACK)
                links.paint(sibling, RED)
                sibling, far = near, sibling
            links.paint(sibling, links.colour(parent))
            links.paint(parent, BLACK)
            links.paint(far, BLACK)
            links.rotate(parent, side)
            return
