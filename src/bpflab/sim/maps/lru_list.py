"""Active, inactive and free elements of an LRU map, and who has to go (kernel/bpf/bpf_lru_list.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.maps.ring import Node, Ring

if TYPE_CHECKING:
    from collections.abc import Callable


class LruList:
    """An active and an inactive ring, and a stack of free nodes.

    A pass looks at up to `scans` nodes. Nodes not yet used are counted in `fresh` and lie at the bottom of
    the stack. `evict` removes a node's element from the map.
    """

    def __init__(self, fresh: int, scans: int, evict: Callable[[Node], None]) -> None:
        self.active = Ring()
        self.inactive = Ring()
        self.free: list[Node] = []
        self._fresh = fresh
        self._scans = scans
        self._evict = evict
        self._hand = self.inactive.head

    def take_free(self) -> Node | None:
        """Take the node that was freed last, else one never used, else None."""
        if self.free:
            return self.free.pop()
        if not self._fresh:
            return None
        self._fresh -= 1
        return Node()

    def move(self, node: Node, target: Ring) -> None:
        """Put a node at the head of a ring, no longer referenced."""
        self._leave(node)
        node.referenced = False
        target.push(node)

    def release(self, node: Node) -> None:
        """Put a node on the free stack."""
        self._leave(node)
        node.referenced = False
        self.free.append(node)

    def rotate(self) -> None:
        """Pass over the oldest nodes: those referenced go to the head of the active ring."""
        if self.inactive.length < self.active.length:
            self._rotate_active()
        if self.inactive.length:
            self._rotate_inactive()

    def shrink(self, wanted: int, freed: list[Node]) -> None:
        """Evict up to `wanted` inactive nodes that are not referenced, or else one that is, onto `freed`."""
        if self._shrink_inactive(wanted, freed):
            return
        ring = self.inactive if self.inactive.length else self.active
        for node in ring.oldest_first():
            self._give_up(node, freed)
            return

    def _shrink_inactive(self, wanted: int, freed: list[Node]) -> int:
        done = 0
        for seen, node in enumerate(self.inactive.oldest_first(), 1):
            if node.referenced:
                self.move(node, self.active)
            else:
                self._give_up(node, freed)
                done += 1
            if done == wanted or seen == self._scans:
                break
        return done

    def _give_up(self, node: Node, freed: list[Node]) -> None:
        self._evict(node)
        self._leave(node)
        freed.append(node)

    def _leave(self, node: Node) -> None:
        if node is self._hand:
            self._hand = node.newer
        node.leave()

    def _rotate_active(self) -> None:
        first = self.active.head.older
        for seen, node in enumerate(self.active.oldest_first(), 1):
            self.move(node, self.active if node.referenced else self.inactive)
            if node is first or seen == self._scans:
                break

    def _rotate_inactive(self) -> None:
        head, node, seen = self.inactive.head, self._hand, 0
        last = self._hand.older if self._hand.older is not head else head.older
        following = head
        while seen < self._scans:
            if node is head:
                node = head.newer
                continue
            following = node.newer
            if node.referenced:
                self.move(node, self.active)
            if node is last:
                break
            node = following
            seen += 1
        self._hand = following
