"""Mapped memory on replay: what the kernel wrote appears when it did; what the process writes is held to the record."""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.map_types import MapType
from bpflab.backend.journal_memory import LARGEST_REGION
from bpflab.cassettes.cassette import CassetteError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.backend.base import MappedMemory
    from bpflab.backend.journal_entry import Memory, Opened


@dataclass(slots=True)
class TapeRegion:
    """A mapping: the kernel's side of it, what it should hold, and whether the process is held to that."""

    kernel: mmap.mmap
    expected: bytearray
    is_held: bool


class TapeMemory:
    """All mappings of one replay, in the order in which they were made."""

    def __init__(self) -> None:
        self._regions: list[TapeRegion] = []

    def map(self, length: int, opened: Opened | None, *, writable: bool) -> MappedMemory:
        """Make a mapping; CassetteError for one that is too large to have been recorded."""
        if length > LARGEST_REGION:
            raise CassetteError(
                f"{length} bytes of memory are mapped; cassettes keep what changes in at most {LARGEST_REGION}. Run "
                "this test on the kernel or the simulator."
            )
        with tempfile.TemporaryFile() as file:
            file.truncate(length)
            kernel = mmap.mmap(file.fileno(), length)
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            mapped = mmap.mmap(file.fileno(), length, access=access)
        is_held = writable and opened is not None and opened.map_type is MapType.ARRAY
        self._regions.append(TapeRegion(kernel, bytearray(length), is_held))
        return mapped

    def follow(self, changes: Iterable[Memory]) -> str:
        """Bring the memory to where it was recorded next; where the process wrote something else, in words."""
        kernel = []
        for change in changes:
            region = self._regions[change.region]
            if change.by_kernel:
                kernel.append(change)
            for offset, data in change.changes:
                if not change.by_kernel:
                    region.expected[offset : offset + len(data)] = data
        told = self._difference()
        for change in kernel:
            region = self._regions[change.region]
            for offset, data in change.changes:
                region.kernel[offset : offset + len(data)] = data
                region.expected[offset : offset + len(data)] = data
        return told

    def close(self) -> None:
        """Unmap the kernel's side."""
        for region in self._regions:
            region.kernel.close()
        self._regions.clear()

    def _difference(self) -> str:
        for number, region in enumerate(self._regions):
            if region.is_held and region.kernel[:] != region.expected:
                at = next(at for at, (a, b) in enumerate(zip(region.kernel[:], region.expected, strict=True)) if a != b)
                return (
                    f"byte {at} of mapped memory {number} is {region.kernel[at]:#04x}, and {region.expected[at]:#04x} "
                    "in the cassette"
                )
        return ""
