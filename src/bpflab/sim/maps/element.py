"""One element of a map: its key, its bytes, and the address under which programs see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.maps.ring import Node
    from bpflab.sim.memory import Region


class Element:
    """A value in its place. `data` is the value's own bytes, shared with the region that a program gets.

    `before` and `after` link the elements of a map in the order of their insertion, which `number`
    counts; `node` is its place in the lists of an LRU map.
    """

    __slots__ = ("after", "before", "data", "key", "node", "number", "region")

    def __init__(self, key: bytes, data: bytearray | memoryview) -> None:
        self.key = key
        self.data = data
        self.region: Region | None = None
        self.before: Element = self
        self.after: Element = self
        self.number = 0
        self.node: Node | None = None

    def address(self, owner: SimMap) -> int:
        """Return the value's address; its region is made at the first call and stays."""
        region = self.region
        if region is None:
            region = self.region = owner.add_region(self.data)
        return region.address

    def retire(self, owner: SimMap) -> None:
        """Give the memory back once no program runs (RCU): a program that holds the address may go on reading."""
        if self.region is not None:
            owner.kernel.memory.retire(self.region)
            self.region = None
