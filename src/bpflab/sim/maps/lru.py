"""Where an LRU map takes the memory for a new element from: one list for all CPUs, or one for each.

The kernel takes free elements in bunches, so a full map may lose many at one insertion. Which they
are follows from the order of the calls alone, and is the same here (kernel/bpf/bpf_lru_list.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from bpflab.sim.maps.lru_list import LruList
from bpflab.sim.maps.ring import Node, Ring

if TYPE_CHECKING:
    from collections.abc import Callable

LOCAL_TARGET: Final = 128
"""The largest bunch, and how many nodes one pass looks at (LOCAL_FREE_TARGET, LOCAL_NR_SCANS)."""
PERCPU_TARGET: Final = 4
"""The same for lists that belong to one CPU (PERCPU_FREE_TARGET, PERCPU_NR_SCANS)."""


class Lru(Protocol):
    """Gives nodes to fill, and takes back those of removed elements."""

    def take(self, cpu: int) -> Node | None:
        """Return a node without element, evicting others if need be; None if there is none to be had."""

    def give_back(self, node: Node) -> None:
        """Take back the node of an element that was removed."""


class PerCpuLru:
    """A list for each CPU, that the others do not touch (NO_COMMON_LRU)."""

    def __init__(self, entries: int, cpus: int, evict: Callable[[Node], None]) -> None:
        self._lists = [LruList(entries // cpus, PERCPU_TARGET, evict) for _ in range(cpus)]

    def take(self, cpu: int) -> Node | None:
        """Return a node of this CPU's list."""
        own = self._lists[cpu]
        own.rotate()
        node = own.take_free()
        if node is None:
            own.shrink(PERCPU_TARGET, own.free)
            node = own.take_free()
        if node is not None:
            node.cpu = cpu
            own.move(node, own.inactive)
        return node

    def give_back(self, node: Node) -> None:
        """Put a node on the free stack of the list it came from."""
        self._lists[node.cpu].release(node)


class Local:
    """One CPU's bunch of free nodes, and the ring of those it filled since it last asked for a bunch."""

    def __init__(self, cpu: int) -> None:
        self.free: list[Node] = []
        self.pending = Ring()
        self.steal_from = cpu


class CommonLru:
    """One list for all CPUs, from which each takes a bunch of free nodes at a time."""

    def __init__(self, entries: int, cpus: int, evict: Callable[[Node], None]) -> None:
        self._list = LruList(entries, LOCAL_TARGET, evict)
        self._locals = [Local(cpu) for cpu in range(cpus)]
        self._target = min(max(entries // cpus // 2, 1), LOCAL_TARGET)
        self._evict = evict

    def take(self, cpu: int) -> Node | None:
        """Return a node of this CPU's bunch, of a new bunch, or of another CPU's."""
        own = self._locals[cpu]
        if not own.free:
            self._refill(own)
        node = own.free.pop() if own.free else self._steal(own)
        if node is not None:
            node.cpu = cpu
            node.referenced = False
            own.pending.push(node)
        return node

    def give_back(self, node: Node) -> None:
        """Put a node back where it came from: a CPU's bunch while it is pending there, or the list."""
        local = self._locals[node.cpu]
        if node.ring is local.pending:
            node.leave()
            node.referenced = False
            local.free.append(node)
        else:
            self._list.release(node)

    def _refill(self, own: Local) -> None:
        lists = self._list
        for node in own.pending.oldest_first():
            lists.move(node, lists.active if node.referenced else lists.inactive)
        lists.rotate()
        while len(own.free) < self._target and (free := lists.take_free()) is not None:
            own.free.append(free)
        if len(own.free) < self._target:
            lists.shrink(self._target - len(own.free), own.free)

    def _steal(self, own: Local) -> Node | None:
        first = cpu = own.steal_from
        while True:
            node = self._steal_of(self._locals[cpu])
            cpu = (cpu + 1) % len(self._locals)
            if node is not None or cpu == first:
                own.steal_from = cpu
                return node

    def _steal_of(self, local: Local) -> Node | None:
        if local.free:
            return local.free.pop()
        pending = list(local.pending.oldest_first())
        for node in [*(each for each in pending if not each.referenced), *pending]:
            self._evict(node)
            node.leave()
            return node
        return None
