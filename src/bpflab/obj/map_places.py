"""Maps and where the object has them: what turns a relocation's section and offset into a map."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.obj.spec import MapSpec


@dataclass(frozen=True, slots=True)
class MapPlace:
    """A map whose definition, or whose data, takes `size` bytes from `offset` of a section.

    `arena`: these are the variables of an arena, which its map defines elsewhere.
    """

    spec: MapSpec
    section: int
    offset: int
    size: int
    arena: bool = False


class MapPlaces:
    """All maps of an object, found by place."""

    def __init__(self, places: Iterable[MapPlace]) -> None:
        self._by_section: dict[int, list[MapPlace]] = {}
        for place in sorted(places, key=lambda each: each.offset):
            self._by_section.setdefault(place.section, []).append(place)

    def holds(self, section: int) -> bool:
        """Say whether a section number is one of maps or of variables."""
        return section in self._by_section

    def at(self, section: int, offset: int) -> MapPlace | None:
        """Find the map that a byte of a section belongs to."""
        found = self._by_section.get(section, ())
        index = bisect_right(found, offset, key=lambda each: each.offset) - 1
        if index < 0 or offset >= found[index].offset + max(found[index].size, 1):
            return None
        return found[index]
