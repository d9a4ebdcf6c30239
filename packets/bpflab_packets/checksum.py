"""Checksums of packets: what each covers, the Internet checksum updated from a difference, CRC-32C."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

ONES: Final = 0xFFFF
"""Sums of 16-bit words in ones' complement are sums modulo this number (RFC 1071)."""
CASTAGNOLI: Final = 0x82F63B78
"""The polynomial of CRC-32C, bits reflected (RFC 9260, appendix A)."""


class Kind(Enum):
    """How a checksum is computed."""

    INTERNET = "internet"
    """RFC 1071: IPv4, TCP, ICMP, ICMPv6, GRE."""
    UDP = "udp"
    """RFC 768: the same, and a result of zero is sent as all ones, because zero says that there is none."""
    CRC32C = "crc32c"
    """SCTP (RFC 9260, section 6.8); sent with its lowest byte first."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """One checksum of a packet.

    `at` is the offset of its field, `ranges` the (start, stop) of the bytes it covers, where a stop of None is the end
    of the packet; `pseudo` says that the length of the layer is counted too (the pseudo-header of TCP, UDP, ICMPv6).
    """

    at: int
    ranges: tuple[tuple[int, int | None], ...]
    kind: Kind = Kind.INTERNET
    pseudo: bool = False

    @property
    def stop(self) -> int:
        """Where its field ends."""
        return self.at + (4 if self.kind is Kind.CRC32C else 2)

    def factor(self, start: int, stop: int) -> int:
        """Return what a number in bytes start to stop counts in the sum: 1, 256 at an odd place, 0 when not covered."""
        for first, last in self.ranges:
            if first <= start and (last is None or stop <= last):
                return 256 if (stop - first) % 2 else 1
        return 0


def updated(checksum: int, difference: int, kind: Kind = Kind.INTERNET) -> int:
    """Return the checksum after the sum of the covered words changed by a difference (RFC 1624, equation 3)."""
    total = ((~checksum & ONES) + difference) % ONES or ONES
    return (~total & ONES) or (ONES if kind is Kind.UDP else 0)


def crc32c(data: bytes | bytearray) -> int:
    """Return the CRC-32C of data."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (CASTAGNOLI if value & 1 else 0)
    return value


_TABLE: Final = tuple(_entry(value) for value in range(256))
