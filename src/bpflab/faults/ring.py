"""A ring buffer that is full, without an event in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.map_types import MapType
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.lab import Lab

HEADER: Final = 8
"""Bytes before each record (BPF_RINGBUF_HDR_SZ); records begin at multiples of it."""
PACKET: Final = bytes(64)
TAKE: Final = """
    r1 = map[fd:{fd}]
    r2 = {size}
    r3 = 0
    call ringbuf_reserve
    if r0 == 0 goto full
    r1 = r0
    r2 = 1
    call ringbuf_discard
    r0 = 1
    exit
full:
    r0 = 0
    exit
"""
"""Reserve a record and give it up, without waking the consumer (BPF_RB_NO_WAKEUP); 1 when there was room."""


def fill_ring(lab: Lab, ring: Any) -> int:  # noqa: ANN401 - checked at once
    """Reserve and give up records of half the buffer, a quarter, and so on, until none fits; the bytes they take."""
    if getattr(ring, "type", None) != MapType.RINGBUF:
        raise ArgumentError(f"{ring!r} is no ring buffer; expected a map of type RINGBUF.")
    return sum(size * _taken(lab, ring.fileno(), size - HEADER) for size in _sizes(ring.max_entries))


def _sizes(whole: int) -> Iterator[int]:
    while (whole := whole // 2) >= HEADER:
        yield whole


def _taken(lab: Lab, fd: int, size: int) -> int:
    """Take records of one size until no more fit; how many there were. At most two do, by what came before."""
    with_size = lab.program(TAKE.format(fd=fd, size=size), type="xdp", name="fill_ring")
    try:
        count = 0
        while with_size.run(PACKET).retval:
            count += 1
        return count
    finally:
        with_size.close()
