"""Which codec a key= or value= asks for."""

from __future__ import annotations

import re
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

from bpflab.errors import ArgumentError
from bpflab.maps.codecs.addresses import Ipv4Codec, Ipv6Codec, MacCodec
from bpflab.maps.codecs.base import AdaptedCodec, BaseCodec, Codec
from bpflab.maps.codecs.integers import integer
from bpflab.maps.codecs.plain import BytesCodec, CtypesCodec, StructCodec, TextCodec
from bpflab.maps.codecs.prefixes import NetworkCodec, PrefixCodec

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.obj.btf import Btf

ADDRESSES: Final[dict[str, type[BaseCodec[Any]]]] = {"ipv4": Ipv4Codec, "ipv6": Ipv6Codec, "mac": MacCodec}
SIZED: Final = re.compile(r"(?P<kind>char|bytes)\[(?P<size>\d+)\]")
WANTED: Final = (
    "an integer ('u8' to 'u128', 's32', 'be16', 'le64'), a number of bytes, 'bytes[6]', 'char[16]', 'ipv4', 'ipv6', "
    "'mac', a struct format such as '=IHH', a ctypes type, the name of a BTF type with btf=, or a codec with "
    "size, pack and unpack"
)


def make_codec(given: object, *, byteorder: ByteOrder = sys.byteorder, btf: Btf | None = None) -> BaseCodec[Any]:
    """Return the codec that a key= or value= asks for.

    `given` is a name (`u32`, `s64`, `be16`, `bytes[6]`, `char[16]`, `ipv4`, `ipv6`, `mac`, or with `btf` the name of a
    type such as `struct flow` or `u32`), a number of bytes, a struct format starting with its byte order,
    a ctypes type, or an object with `size`, `pack` and `unpack`. ArgumentError for anything else.
    """
    if isinstance(given, BaseCodec):
        return given
    if isinstance(given, str):
        return _named(given, byteorder, btf)
    if isinstance(given, struct.Struct):
        return StructCodec(given.format, byteorder)
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return BytesCodec(given)
    if isinstance(given, type) and hasattr(given, "from_buffer_copy"):
        return CtypesCodec(given)
    if isinstance(given, Codec) and not isinstance(given, type):
        return AdaptedCodec(given)
    raise ArgumentError(f"{given!r} is no type of a key or value; expected {WANTED}.")


def make_prefix_codec(given: object, *, byteorder: ByteOrder = sys.byteorder) -> BaseCodec[Any]:
    """Return the codec of an LPM trie's key: `ipv4`, `ipv6`, or the whole key's size in bytes for plain prefixes."""
    if isinstance(given, str) and given in {"ipv4", "ipv6"}:
        return NetworkCodec(given, byteorder)
    if isinstance(given, int) and given >= 5:
        return PrefixCodec(given, byteorder)
    if isinstance(given, str):
        raise ArgumentError(
            f"{given!r} is no key of an LPM trie; expected 'ipv4', 'ipv6', or the size of the whole key in bytes "
            "(4 for the prefix length and at least 1 of data), or a codec."
        )
    return make_codec(given, byteorder=byteorder)


def _named(name: str, byteorder: ByteOrder, btf: Btf | None) -> BaseCodec[Any]:
    if name[:1] in tuple("<>=!@"):
        return StructCodec(name, byteorder)
    if name in ADDRESSES:
        return ADDRESSES[name]()
    sized = SIZED.fullmatch(name)
    if sized is not None:
        return (TextCodec if sized["kind"] == "char" else BytesCodec)(int(sized["size"]))
    found = integer(name, byteorder)
    if found is not None:
        return found
    if btf is not None:
        from bpflab.maps.codecs.btf import codec_by_name

        return codec_by_name(btf, name)
    raise ArgumentError(f"{name!r} is no type of a key or value; expected {WANTED}.")
