"""Keys of an LPM trie: a prefix length in host order, then the bytes it counts from the left.

`struct bpf_lpm_trie_key_u8` in linux/bpf.h.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from bpflab.errors import CodecError
from bpflab.maps.codecs.base import BaseCodec

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.maps.codecs.base import Readable

NETWORKS: dict[str, type[IPv4Network | IPv6Network]] = {"ipv4": IPv4Network, "ipv6": IPv6Network}


class Prefix(NamedTuple):
    """A key of an LPM trie over plain bytes: `length` counts the bits of `data` that matter."""

    length: int
    data: bytes


class PrefixCodec(BaseCodec[Any]):
    """A `Prefix` (or a pair) over `size - 4` bytes."""

    def __init__(self, size: int, byteorder: ByteOrder) -> None:
        self.size = size
        self.name = f"LPM key of {size} bytes"
        self.data_size = size - 4
        self.wanted = f"a pair of prefix length (0 to {self.data_size * 8} bits) and {self.data_size} bytes"
        self._length = struct.Struct("<I" if byteorder == "little" else ">I")

    def pack(self, value: Any, /) -> bytes:  # noqa: ANN401 - a prefix in one of several forms
        """Return the key's bytes."""
        length, data = self.parts(value)
        if not 0 <= length <= self.data_size * 8 or len(data) != self.data_size:
            raise self.refusal(value)
        return self._length.pack(length) + data

    def unpack(self, data: Readable, /) -> Any:  # noqa: ANN401 - a prefix in the codec's form
        """Return the prefix."""
        key = bytes(self.exact(data))
        return self.whole(self._length.unpack_from(key)[0], key[4:])

    def parts(self, value: Any) -> tuple[int, bytes]:  # noqa: ANN401 - as in pack
        """Split a key as a user gives it into length and bytes."""
        try:
            length, data = value
            return length.__index__(), bytes(data)
        except (TypeError, ValueError, AttributeError):
            raise self.refusal(value) from None

    def whole(self, length: int, data: bytes) -> Any:  # noqa: ANN401 - as in unpack
        """Join length and bytes to the form that users see."""
        return Prefix(length, data)


class NetworkCodec(PrefixCodec):
    """An IPv4 or IPv6 network: takes "10.0.0.0/8", a network, or an address (its full length); gives networks."""

    def __init__(self, family: str, byteorder: ByteOrder) -> None:
        self._network = NETWORKS[family]
        super().__init__(4 + (4 if family == "ipv4" else 16), byteorder)
        self.name = f"{family} network"
        example = "10.0.0.0/8" if family == "ipv4" else "2001:db8::/32"
        self.wanted = f"a network such as {example!r}, without bits past its length, or an address"

    def parts(self, value: Any) -> tuple[int, bytes]:  # noqa: ANN401 - as in pack
        """Read a network from text, a network or an address."""
        if isinstance(value, bool | int):
            raise self.refusal(value)
        try:
            network = value if isinstance(value, self._network) else self._network(value)
        except (ValueError, TypeError):
            raise self._no_network(value) from None
        return network.prefixlen, network.network_address.packed

    def whole(self, length: int, data: bytes) -> IPv4Network | IPv6Network:
        """Make a network; bits past its length, which a trie may hold but never looks at, are dropped."""
        return self._network((data, length), strict=False)

    def _no_network(self, value: object) -> CodecError:
        try:
            near = ip_network(str(value), strict=False)
        except ValueError:
            return self.refusal(value)
        if near.max_prefixlen != self.data_size * 8:
            return self.refusal(value)
        return CodecError(f"{value!r} has bits past its prefix length; did you mean '{near}'?")
