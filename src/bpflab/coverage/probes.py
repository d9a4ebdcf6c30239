"""Which places of a program need a probe, and what their bytes say of the rest.

A byte is stored at the head of each function, behind each instruction after which the program may not go on, and on
both edges of each conditional jump. All other blocks follow from these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.coverage.hits import Hits

if TYPE_CHECKING:
    from bpflab.coverage.flow import Branch, Flow


@dataclass(frozen=True, slots=True)
class Probes:
    """The numbers of a program's probes: by block head, and by edge (the jump's slot, whether it is taken)."""

    flow: Flow
    heads: dict[int, int]
    edges: dict[tuple[int, bool], int]

    @property
    def count(self) -> int:
        """How many bytes they write."""
        return len(set(self.heads.values()) | set(self.edges.values()))

    def own(self, branch: Branch, *, taken: bool) -> bool:
        """Tell whether an edge has a probe for itself, and not that of the block it leads to."""
        number = self.edges[branch.slot, taken]
        return self.heads.get(branch.way(taken=taken)) != number

    def read(self, stored: bytes) -> Hits:
        """Say what ran, from the bytes that the probes have stored."""
        taken, fallen, reached = 0, 0, set()
        for branch in self.flow.branches:
            if stored[self.edges[branch.slot, True]]:
                taken |= 1 << branch.slot
                reached.add(branch.target)
            if stored[self.edges[branch.slot, False]]:
                fallen |= 1 << branch.slot
                reached.add(branch.after)
        reached |= {head for head, number in self.heads.items() if stored[number]}
        return Hits(self._executed(reached), taken, fallen)

    def _executed(self, reached: set[int]) -> int:
        waiting, executed = list(reached), 0
        while waiting:
            head = waiting.pop()
            for slot in self.flow.blocks[head]:
                executed |= 1 << slot
            more = set(self.flow.followers[head]) - reached
            reached |= more
            waiting += more
        return executed


def choose_probes(flow: Flow) -> Probes:
    """Choose the places of a program that need a probe, and number them."""
    needed = {*flow.functions, *flow.resumed}
    edges = [(branch, taken) for branch in flow.branches for taken in (True, False)]
    shared = {branch.way(taken=taken) for branch, taken in edges if flow.ways_in[branch.way(taken=taken)] == 1}
    heads = {head: number for number, head in enumerate(sorted(needed | shared))}
    numbers: dict[tuple[int, bool], int] = {}
    free = len(heads)
    for branch, taken in edges:
        way = branch.way(taken=taken)
        numbers[branch.slot, taken] = heads[way] if way in shared else free
        free += way not in shared
    return Probes(flow, heads, numbers)
