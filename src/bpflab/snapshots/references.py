"""Maps that hold programs or maps: what they held is kept alive by descriptors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bpflab.snapshots.keeper import RawMap

if TYPE_CHECKING:
    from bpflab.abi.commands import Command
    from bpflab.maps.handle import MapHandle


class ReferenceKeeper:
    """The programs or maps in a map, by key. A kernel tells their numbers, and takes their descriptors.

    `by_id` opens what they are: PROG_GET_FD_BY_ID or MAP_GET_FD_BY_ID.
    """

    def __init__(self, source: MapHandle[Any, Any], by_id: Command) -> None:
        self.source = source
        self.raw = RawMap(source)
        self.saved = self.raw.read()
        call = source.lab.call
        self._held = {number: call(by_id, start_id=_number(number)).result for number in set(self.saved.values())}

    def restore(self) -> None:
        """Empty the places that were empty, and put back what was replaced or removed."""
        now = self.raw.read()
        if now == self.saved:
            return
        self.raw.delete(key for key in now if key not in self.saved)
        changed = [(key, number) for key, number in self.saved.items() if now.get(key) != number]
        self.raw.write((key, self._held[number].to_bytes(4, sys.byteorder)) for key, number in changed)

    def close(self) -> None:
        """Let go of the programs or maps."""
        held, self._held = self._held, {}
        for fd in held.values():
            self.source.lab.backend.close(fd)


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, sys.byteorder)
