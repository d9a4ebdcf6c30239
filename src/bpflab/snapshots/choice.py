"""Which way a map's content is kept, and what cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.maps.array import IndexedArray
from bpflab.maps.batch import DeleteBatchMap
from bpflab.snapshots.arrays import ArrayKeeper, MemoryKeeper
from bpflab.snapshots.entries import EntriesKeeper
from bpflab.snapshots.queues import QueueKeeper
from bpflab.snapshots.references import ReferenceKeeper
from bpflab.snapshots.rings import RingKeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.maps.handle import MapHandle
    from bpflab.snapshots.keeper import Keeper


def _programs(source: MapHandle[Any, Any]) -> Keeper:
    return ReferenceKeeper(source, Command.PROG_GET_FD_BY_ID)


def _maps(source: MapHandle[Any, Any]) -> Keeper:
    return ReferenceKeeper(source, Command.MAP_GET_FD_BY_ID)


KEEPERS: Final[Mapping[MapType, Callable[[Any], Keeper]]] = {
    MapType.PROG_ARRAY: _programs,
    MapType.ARRAY_OF_MAPS: _maps,
    MapType.HASH_OF_MAPS: _maps,
    MapType.QUEUE: QueueKeeper,
    MapType.STACK: QueueKeeper,
    MapType.RINGBUF: RingKeeper,
    MapType.DEVMAP: EntriesKeeper,
    MapType.DEVMAP_HASH: EntriesKeeper,
    MapType.CPUMAP: EntriesKeeper,
}
"""The types that are not kept by what their class offers."""

_NO_READING: Final = "a kernel does not tell what is in it"
REASONS: Final[Mapping[MapType, str]] = {
    MapType.BLOOM_FILTER: "nothing can be taken out of it",
    MapType.USER_RINGBUF: "records wait for the program that drains them",
    MapType.STACK_TRACE: "traces cannot be put back",
    MapType.ARENA: "to read its pages would allocate them",
}
WIDE: Final = 8
"""The size of a value of DEVMAP or CPUMAP that can name a program: read as a number, and written as a descriptor."""
REDIRECTS: Final = frozenset({MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP})


def why_not(source: MapHandle[Any, Any]) -> str:
    """Say why a map's content cannot be put back; empty when it can."""
    if source.flags & (MapFlag.RDONLY | MapFlag.WRONLY):
        return "this process may not both read and write it"
    if source.type in REDIRECTS and source.shape.value.size == WIDE:
        return "its values may name programs"
    if source.type in KEEPERS or isinstance(source, (IndexedArray, DeleteBatchMap)):
        return "it is frozen" if source.frozen else ""
    return REASONS.get(source.type, _NO_READING)


def cannot_change(source: MapHandle[Any, Any]) -> bool:
    """Whether neither programs nor this process can write to a map, so that there is nothing to put back."""
    return MapFlag.RDONLY_PROG in source.flags and source.frozen


def keeper_of(source: MapHandle[Any, Any]) -> Keeper:
    """Keep what a map holds now."""
    chosen = KEEPERS.get(source.type)
    if chosen is not None:
        return chosen(source)
    if isinstance(source, IndexedArray):
        return MemoryKeeper(source) if MapFlag.MMAPABLE in source.flags else ArrayKeeper(source)  # type: ignore[arg-type]  # MMAPABLE is for ARRAY alone
    return EntriesKeeper(source)
