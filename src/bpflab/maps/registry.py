"""Which class a type of map is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.map_types import MapType
from bpflab.maps.array import Array, PerCpuArray
from bpflab.maps.hash import HashMap, LruHash, LruPerCpuHash, PerCpuHash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.maps.handle import MapHandle

CLASSES: Final[Mapping[MapType, type[MapHandle[Any, Any]]]] = {
    MapType.HASH: HashMap,
    MapType.LRU_HASH: LruHash,
    MapType.PERCPU_HASH: PerCpuHash,
    MapType.LRU_PERCPU_HASH: LruPerCpuHash,
    MapType.ARRAY: Array,
    MapType.PERCPU_ARRAY: PerCpuArray,
}


def class_of(kind: MapType) -> type[MapHandle[Any, Any]]:
    """Return the class of a type's maps."""
    return CLASSES[kind]
