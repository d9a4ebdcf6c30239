"""Arrays: keys are the numbers below max_entries, all of which are always there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bpflab.maps.batch import UpdateBatchMap
from bpflab.maps.codecs.percpu import PerCpuValues
from bpflab.maps.memory import ArrayMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

V = TypeVar("V")


class IndexedArray(UpdateBatchMap[int, V]):
    """max_entries values, zero at first. Elements cannot be deleted; `fill(0)` sets them back."""

    KEY = "u32"

    def __len__(self) -> int:
        return self.max_entries

    def __bool__(self) -> bool:
        return True

    def __contains__(self, key: object) -> bool:
        return isinstance(key, int) and 0 <= key < self.max_entries

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.max_entries))

    def fill(self, value: V) -> None:
        """Write the same value to every element."""
        self.update_batch((index, value) for index in range(self.max_entries))

    def _single_keys(self) -> Iterator[bytes]:
        return map(self.shape.key.pack, range(self.max_entries))


class Array(IndexedArray[V], ArrayMemory[V]):
    """ARRAY: an array; with the flag MMAPABLE its memory can be shared."""


class PerCpuArray(IndexedArray[PerCpuValues[V]]):
    """PERCPU_ARRAY: each element has a value for every possible CPU; see `PerCpuValues` and `AllCpus`."""
