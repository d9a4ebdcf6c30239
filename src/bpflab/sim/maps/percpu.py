"""A value that every CPU has its own copy of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.maps import record

if TYPE_CHECKING:
    from bpflab.obj.special_fields import SpecialField
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.memory import Region


class PerCpuValue:
    """One value per CPU. Each takes a multiple of 8 bytes; what a program sees ends with the value."""

    __slots__ = ("data", "regions", "size", "stride")

    def __init__(self, size: int, cpus: int) -> None:
        self.size = size
        self.stride = -(-size // 8) * 8
        self.data = memoryview(bytearray(self.stride * cpus))
        self.regions: dict[int, Region] = {}

    def address(self, owner: SimMap, cpu: int) -> int:
        """Return the address of one CPU's value; its region is made at the first call and stays."""
        region = self.regions.get(cpu)
        if region is None:
            region = self.regions[cpu] = owner.add_region(self.of(cpu))
        return region.address

    def of(self, cpu: int) -> memoryview:
        """Return the bytes of one CPU's value."""
        start = cpu * self.stride
        return self.data[start : start + self.size]

    def store(self, cpu: int, value: bytes, fields: tuple[SpecialField, ...]) -> None:
        """Copy a value to one CPU."""
        record.store(fields, self.of(cpu), value)

    def store_all(self, values: bytes, fields: tuple[SpecialField, ...]) -> None:
        """Copy a value to each CPU, with the bytes that fill it up."""
        for start in range(0, len(self.data), self.stride):
            record.store(fields, self.data[start : start + self.stride], values[start : start + self.stride])

    def all(self, fields: tuple[SpecialField, ...]) -> bytes:
        """Return every CPU's value, with the bytes that fill it up."""
        if not fields:
            return bytes(self.data)
        starts = range(0, len(self.data), self.stride)
        return b"".join(record.without(fields, bytes(self.data[at : at + self.stride])) for at in starts)

    def clear(self) -> None:
        """Make all zero."""
        self.data[:] = bytes(len(self.data))

    def retire(self, owner: SimMap) -> None:
        """Give the memory back once no program runs."""
        for region in self.regions.values():
            owner.kernel.memory.retire(region)
        self.regions.clear()
