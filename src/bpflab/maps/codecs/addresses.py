"""IPv4, IPv6 and MAC addresses, in network order."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from bpflab.maps.codecs.base import BaseCodec

if TYPE_CHECKING:
    from bpflab.maps.codecs.base import Readable

MAC: Final = re.compile(r"[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}")


class Ipv4Codec(BaseCodec[IPv4Address]):
    """An IPv4 address of 4 bytes; takes text, 4 bytes, an integer or an `ipaddress.IPv4Address`."""

    name = "ipv4"
    size = 4
    wanted = "an address such as '192.0.2.1', 4 bytes or an IPv4Address"

    def pack(self, value: IPv4Address | str | bytes | int, /) -> bytes:
        """Return the address in network order."""
        try:
            return IPv4Address(value).packed
        except ValueError:
            raise self.refusal(value) from None

    def unpack(self, data: Readable, /) -> IPv4Address:
        """Return the address."""
        return IPv4Address(bytes(self.exact(data)))


class Ipv6Codec(BaseCodec[IPv6Address]):
    """An IPv6 address of 16 bytes; takes text, 16 bytes, an integer or an `ipaddress.IPv6Address`."""

    name = "ipv6"
    size = 16
    wanted = "an address such as '2001:db8::1', 16 bytes or an IPv6Address"

    def pack(self, value: IPv6Address | str | bytes | int, /) -> bytes:
        """Return the address in network order."""
        try:
            return IPv6Address(value).packed
        except ValueError:
            raise self.refusal(value) from None

    def unpack(self, data: Readable, /) -> IPv6Address:
        """Return the address."""
        return IPv6Address(bytes(self.exact(data)))


class MacCodec(BaseCodec[str]):
    """A MAC address of 6 bytes, as text such as `02:00:00:00:00:01`; takes text (with `:` or `-`) or 6 bytes."""

    name = "mac"
    size = 6
    wanted = "an address such as '02:00:00:00:00:01', or 6 bytes"

    def pack(self, value: str | bytes, /) -> bytes:
        """Return the address as it stands in a frame."""
        if isinstance(value, str) and MAC.fullmatch(value):
            return bytes.fromhex(value.replace(value[2], ""))
        if isinstance(value, bytes | bytearray | memoryview) and len(value) == 6:
            return bytes(value)
        raise self.refusal(value)

    def unpack(self, data: Readable, /) -> str:
        """Return the address as lower-case text with colons."""
        return bytes(self.exact(data)).hex(":")
