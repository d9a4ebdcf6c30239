"""Which values fit a codec, as hypothesis strategies."""

from __future__ import annotations

from functools import singledispatch
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bpflab.maps.codecs.addresses import Ipv4Codec, Ipv6Codec, MacCodec
from bpflab.maps.codecs.btf import BoolCodec, EnumCodec, FloatCodec, SequenceCodec
from bpflab.maps.codecs.integers import IntegerCodec
from bpflab.maps.codecs.percpu import PerCpuCodec
from bpflab.maps.codecs.plain import BytesCodec, TextCodec
from bpflab.maps.codecs.prefixes import NetworkCodec, Prefix, PrefixCodec
from bpflab.maps.codecs.records import RecordCodec

if TYPE_CHECKING:
    from bpflab.maps.codecs.base import BaseCodec


@singledispatch
def values_of(codec: BaseCodec[Any]) -> SearchStrategy[Any]:
    """Draw values that a codec packs, and that come back equal.

    A codec that is not known here, such as a user's own, gets what random bytes stand for in it.
    """
    return st.binary(min_size=codec.size, max_size=codec.size).map(codec.unpack)


@values_of.register
def _(codec: IntegerCodec) -> SearchStrategy[int]:
    return st.integers(codec.low, codec.high)


@values_of.register
def _(codec: EnumCodec) -> SearchStrategy[int]:
    return st.integers(codec.low, codec.high)


@values_of.register
def _(_codec: BoolCodec) -> SearchStrategy[bool]:
    return st.booleans()


@values_of.register
def _(codec: FloatCodec) -> SearchStrategy[float]:
    return st.floats(width=32 if codec.size == 4 else 64, allow_nan=False)


@values_of.register
def _(codec: BytesCodec) -> SearchStrategy[bytes]:
    return st.binary(min_size=codec.size, max_size=codec.size)


@values_of.register
def _(codec: TextCodec) -> SearchStrategy[str]:
    letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    return st.text(letters, max_size=codec.size).filter(lambda text: len(text.encode()) <= codec.size)


@values_of.register
def _(_codec: Ipv4Codec) -> SearchStrategy[Any]:
    return st.ip_addresses(v=4)


@values_of.register
def _(_codec: Ipv6Codec) -> SearchStrategy[Any]:
    return st.ip_addresses(v=6)


@values_of.register
def _(_codec: MacCodec) -> SearchStrategy[str]:
    return st.binary(min_size=6, max_size=6).map(lambda address: address.hex(":"))


@values_of.register
def _(codec: PrefixCodec) -> SearchStrategy[Prefix]:
    size = codec.data_size
    return st.builds(Prefix, st.integers(0, size * 8), st.binary(min_size=size, max_size=size))


@values_of.register
def _(codec: NetworkCodec) -> SearchStrategy[IPv4Network | IPv6Network]:
    size = codec.data_size
    network = IPv4Network if size == 4 else IPv6Network
    parts = st.tuples(st.binary(min_size=size, max_size=size), st.integers(0, size * 8))
    return parts.map(lambda part: network(part, strict=False))


@values_of.register
def _(codec: PerCpuCodec) -> SearchStrategy[list[Any]]:
    return st.lists(values_of(codec.element), min_size=codec.cpus, max_size=codec.cpus)


@values_of.register
def _(codec: SequenceCodec) -> SearchStrategy[tuple[Any, ...]]:
    return st.lists(values_of(codec.element), min_size=codec.length, max_size=codec.length).map(tuple)


@values_of.register
def _(codec: RecordCodec) -> SearchStrategy[Any]:
    return st.binary(min_size=codec.size, max_size=codec.size).map(codec.unpack)
