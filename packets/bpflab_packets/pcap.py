"""Packets from and to capture files: pcap and pcapng, gzipped or not, when read; pcap when written."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ETHERNET: Final = 1
"""LINKTYPE_ETHERNET (www.tcpdump.org/linktypes.html)."""
GZIP: Final = b"\x1f\x8b"


class CaptureError(ValueError):
    """A file cannot be read as a capture of Ethernet frames; the text says why."""


def read_frames(path: str | Path) -> list[bytes]:
    """Return the frames of a capture, each from its Ethernet header on.

    CaptureError for what is no capture, is cut short within its headers, or has another link type.
    """
    from scapy.utils import RawPcapReader

    with reading(path), RawPcapReader(BytesIO(content_of(Path(path)))) as reader:
        frames = [bytes(frame) for frame, _ in reader]
        ethernet_only(path, reader, frames)
    return frames


def write_frames(path: str | Path, frames: Iterable[bytes]) -> None:
    """Write frames to a pcap file, a nanosecond apart so that their order shows."""
    from scapy.utils import RawPcapWriter

    with RawPcapWriter(str(path), linktype=ETHERNET, nano=True) as writer:
        writer.write_header(None)
        for number, frame in enumerate(frames):
            writer.write_packet(frame, sec=0, usec=number)


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn what goes wrong with a file into a CaptureError."""
    from scapy.error import Scapy_Exception

    try:
        yield
    except (Scapy_Exception, EOFError, OSError, zlib.error) as error:
        raise CaptureError(f"{path} cannot be read as a capture: {error}.") from error


def ethernet_only(path: str | Path, reader: Any, found: Sequence[object]) -> None:  # noqa: ANN401 - scapy has no types
    """Refuse packets of another link type, with CaptureError."""
    kind = getattr(reader, "linktype", ETHERNET)
    if kind != ETHERNET and found:
        raise CaptureError(f"{path} holds packets of link type {kind}; expected Ethernet frames (link type 1).")


def content_of(path: Path) -> bytes:
    """Read a file, and unpack it if it is gzipped."""
    content = path.read_bytes()
    return gzip.decompress(content) if content.startswith(GZIP) else content
