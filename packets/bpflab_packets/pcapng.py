"""Captures whose packets carry comments: pcapng, as Wireshark and tcpdump show it.

The writer follows draft-ietf-opsawg-pcapng: a section header, an interface of link type Ethernet with a resolution of
a nanosecond, an enhanced packet block for each packet. Reading is scapy's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bpflab_packets.pcap import CaptureError, content_of, ethernet_only, reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE: Final = 1
ENHANCED_PACKET: Final = 6
BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
ETHERNET: Final = 1
SNAP_LENGTH: Final = 262144
NANOSECONDS: Final = 9
LARGEST_OPTION: Final = 0xFFFF
OPT_COMMENT: Final = 1
SHB_USERAPPL: Final = 4
IF_TSRESOL: Final = 9
EPB_FLAGS: Final = 2


class Direction(IntEnum):
    """Which way a packet went, as the flags of its block say it."""

    UNKNOWN = 0
    IN = 1
    OUT = 2


@dataclass(frozen=True, slots=True)
class Captured:
    """A packet of a capture, from its Ethernet header on, and the comments on it."""

    frame: bytes
    comments: tuple[str, ...] = ()
    direction: Direction = Direction.UNKNOWN


def encode_pcapng(packets: Iterable[Captured], application: str = "bpflab") -> bytes:
    """Return a capture's bytes; packets are a nanosecond apart so that their order shows."""
    header = struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, -1)
    blocks = [
        _block(SECTION_HEADER, header, [(SHB_USERAPPL, application.encode())]),
        _block(INTERFACE, struct.pack("<HHI", ETHERNET, 0, SNAP_LENGTH), [(IF_TSRESOL, bytes([NANOSECONDS]))]),
        *(_packet(number, packet) for number, packet in enumerate(packets)),
    ]
    return b"".join(blocks)


def write_pcapng(path: str | Path, packets: Iterable[Captured]) -> None:
    """Write packets with their comments to a pcapng file; OSError when it cannot be written."""
    Path(path).write_bytes(encode_pcapng(packets))


def read_packets(path: str | Path) -> list[Captured]:
    """Return the packets of a capture with their comments; those of a pcap file have none.

    CaptureError as `pcap.read_frames`.
    """
    from scapy.utils import RawPcapReader

    with reading(path):
        content = content_of(Path(path))
        with RawPcapReader(BytesIO(content)) as reader:
            found = [Captured(bytes(frame), tuple(_comments(told)), _direction(told)) for frame, told in reader]
            ethernet_only(path, reader, found)
    return found


def _packet(number: int, packet: Captured) -> bytes:
    size = len(packet.frame)
    head = struct.pack("<IIIII", 0, number >> 32, number & 0xFFFFFFFF, size, size)
    options = [(OPT_COMMENT, comment.encode()[:LARGEST_OPTION]) for comment in packet.comments]
    if packet.direction:
        options.append((EPB_FLAGS, struct.pack("<I", packet.direction)))
    return _block(ENHANCED_PACKET, head + _padded(packet.frame), options)


def _block(kind: int, body: bytes, options: list[tuple[int, bytes]]) -> bytes:
    written = b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options)
    end = struct.pack("<HH", 0, 0) if options else b""
    size = 12 + len(body) + len(written) + len(end)
    return struct.pack("<II", kind, size) + body + written + end + struct.pack("<I", size)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _comments(told: Any) -> Iterator[str]:  # noqa: ANN401 - scapy's metadata differ with the format and its version
    found = getattr(told, "comments", None) or getattr(told, "comment", None) or ()
    for comment in [found] if isinstance(found, bytes) else found:
        yield comment.decode(errors="replace")


def _direction(told: Any) -> Direction:  # noqa: ANN401 - as above
    number = getattr(told, "direction", None) or 0
    return Direction(number) if number in {1, 2} else Direction.UNKNOWN


__all__ = ["CaptureError", "Captured", "Direction", "encode_pcapng", "read_packets", "write_pcapng"]
