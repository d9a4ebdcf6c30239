"""Which rule an access to memory broke. Asked only after something was found wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.sim.fault import Access, Fault, FaultKind
from bpflab.sim.region import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.region import Region

PAGE_SIZE: Final = 4096
"""Addresses this near to 0 are called null pointers, with or without an offset."""


def wild(address: int, size: int, *, write: bool, freed: bool) -> Fault:
    """Name the fault of an access where no region is; `freed` says there was one earlier."""
    access = Access(address, size, write=write)
    if min(address, (1 << 64) - address) < PAGE_SIZE:
        return Fault(FaultKind.NULL_POINTER, str(access), access=access)
    if freed:
        return Fault(FaultKind.USE_AFTER_FREE, f"{access}, where memory was freed earlier", access=access)
    return Fault(FaultKind.NOT_A_POINTER, f"{access}, where there is no memory", access=access)


def misuse(region: Region, address: int, offset: int, size: int, *, write: bool) -> Fault:
    """Name the fault of an access that was meant for a region, at `offset` in its data."""
    access = Access(
        address,
        size,
        write=write,
        region=region.title,
        region_size=region.high - region.low,
        offset=offset - region.low,
        before=max(region.low - offset, 0),
        after=max(offset + size - region.high, 0),
    )
    kind = _broken_rule(region, access)
    return Fault(kind, _SENTENCES.get(kind, "{access}").format(access=access, region=region.title), access=access)


_SENTENCES: Final = {
    FaultKind.USE_AFTER_FREE: "{access.act}, in {region}, which was freed",
    FaultKind.OPAQUE: "{access.act}, in {region}, which programs cannot read or write",
    FaultKind.UNINITIALISED_STACK: "{access}, of which some bytes were never written",
    FaultKind.READ_ONLY: "{access}, which is read-only",
}


def _broken_rule(region: Region, access: Access) -> FaultKind:
    if not region.alive:
        return FaultKind.USE_AFTER_FREE
    if not region.data:
        return FaultKind.OPAQUE
    if access.before or access.after:
        overflow = region.kind is RegionKind.STACK and access.before
        return FaultKind.STACK_OVERFLOW if overflow else FaultKind.OUT_OF_BOUNDS
    if access.write and not region.writable:
        return FaultKind.READ_ONLY
    return FaultKind.UNINITIALISED_STACK if _has_unwritten(region, access) else FaultKind.MISALIGNED


def _has_unwritten(region: Region, access: Access) -> bool:
    read = (1 << access.size) - 1
    return not access.write and bool(region.unwritten >> access.offset + region.low & read)
