"""The memory that events travel through: ring buffer, user ring buffer and perf buffer.

From linux/bpf.h (BPF_RINGBUF_*), kernel/bpf/ringbuf.c and Documentation/bpf/ringbuf.rst, and from
linux/perf_event.h. Offsets and sizes are in bytes, positions are u64 that only grow; every number is in the
host's byte order.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

from bpflab.abi.flags import RINGBUF_HEADER_SIZE, RingbufFlag
from bpflab.abi.layout import Layout

RING_ALIGNMENT: Final = 8
"""A record and its header take a multiple of this in ring and perf buffers, and never split such a unit."""

RING_LENGTH_MASK: Final = ~(RingbufFlag.BUSY_BIT | RingbufFlag.DISCARD_BIT) & 0xFFFFFFFF
"""The bits of a ring buffer's header word that hold the length of the data."""

STRONGLY_ORDERED: Final = frozenset({"x86_64", "s390x"})
"""Architectures that keep loads in order, and stores in order after earlier loads: they need no fence here."""


class RingPage(IntEnum):
    """Where mmap(2) finds the parts of a ring buffer, in pages; the data is followed by itself once more.

    A consumer of a ring buffer may write to the first page alone. The producer of a user ring buffer may write to
    all but the first.
    """

    CONSUMER = 0
    PRODUCER = 1
    DATA = 2


class PerfType(IntEnum):
    """What a perf event counts: `type` of perf_event_attr, named without PERF_TYPE_."""

    HARDWARE = 0
    SOFTWARE = 1
    TRACEPOINT = 2
    HW_CACHE = 3
    RAW = 4
    BREAKPOINT = 5


class PerfRecord(IntEnum):
    """The kinds of record in a perf buffer that a BPF_OUTPUT event can meet, without PERF_RECORD_."""

    LOST = 2
    THROTTLE = 5
    UNTHROTTLE = 6
    SAMPLE = 9
    LOST_SAMPLES = 13


class PerfFlag(IntFlag):
    """Flags of perf_event_open(2), without PERF_FLAG_."""

    FD_NO_GROUP = 1 << 0
    FD_OUTPUT = 1 << 1
    PID_CGROUP = 1 << 2
    FD_CLOEXEC = 1 << 3


PERF_COUNT_SW_BPF_OUTPUT: Final = 10
"""`config` of the software event that perf_event_output writes to."""

PERF_SAMPLE_RAW: Final = 1 << 10
"""`sample_type`: each sample is its raw data, and nothing else."""

PERF_WATERMARK_BIT: Final = 14
"""The place of `watermark` among the one-bit fields of perf_event_attr, counted as C does from the first."""

PERF_EVENT_ATTR: Final = Layout(
    "perf_event_attr",
    "type:I size:I config:Q sample_period|sample_freq:Q sample_type:Q read_format:Q bits:Q "
    "wakeup_events|wakeup_watermark:I bp_type:I config1|bp_addr:Q",
)
"""The first published part of struct perf_event_attr (PERF_ATTR_SIZE_VER0); kernels take it as filled up with zeros."""

PERF_HEADER: Final = Layout("perf_event_header", "type:I misc:H size:H")
"""What every record of a perf buffer starts with; `size` counts the header."""

PERF_RAW_HEAD: Final = PERF_HEADER.size + 4
"""Where a sample's raw data starts: after the header and the u32 that repeats the data's length."""

PERF_LOST: Final = Layout("PERF_RECORD_LOST", "type:I misc:H size:H id:Q lost:Q")
"""How many samples found the buffer full, between the record before and the record after."""

PERF_DATA_HEAD: Final = 1024
"""Offset of `data_head` in struct perf_event_mmap_page: where the kernel writes next."""

PERF_DATA_TAIL: Final = 1032
"""Offset of `data_tail`: up to where the consumer has read."""

PERF_DATA_PAGE: Final = 1
"""The data follows the first page."""


def padded(length: int) -> int:
    """Bytes that so much data takes in a ring buffer, without the header."""
    return -(-length // RING_ALIGNMENT) * RING_ALIGNMENT


def record_size(length: int) -> int:
    """Bytes that a record with so much data takes in a ring buffer, with its header."""
    return RINGBUF_HEADER_SIZE + padded(length)


def watermark_bit(byteorder: str) -> int:
    """Return `bits` of perf_event_attr with `watermark` set; C lays bit fields out from the other end on big-endian."""
    return 1 << (PERF_WATERMARK_BIT if byteorder == "little" else 63 - PERF_WATERMARK_BIT)
