"""The BTF types of a map's key and value, from its codecs or made of its sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.btf import IntEncoding
from bpflab.maps.codecs.percpu import PerCpuCodec
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf

if TYPE_CHECKING:
    from bpflab.maps.codecs.base import BaseCodec
    from bpflab.maps.shape import MapShape


def type_ids(types: Btf, shape: MapShape) -> tuple[bytes, int, int] | None:
    """Return BTF and the ids of key and value in it, when both have codecs of that very BTF."""
    key, value = _type_id(types, shape.key), _type_id(types, shape.value)
    return (types.data, key, value) if key and value else None


def _type_id(types: Btf, codec: BaseCodec[object]) -> int:
    inner = codec.element if isinstance(codec, PerCpuCodec) else codec
    return inner.type_id if inner.btf is types else 0


def plain_types(shape: MapShape, byteorder: str) -> tuple[bytes, int, int]:
    """Make BTF in which the key is an `int` and the value an array of bytes: what local storage asks for."""
    made = Btf.build(
        [
            t.Int(name="int", size=4, bits=32, encoding=IntEncoding.SIGNED),
            t.Int(name="unsigned char", size=1, bits=8),
            t.Array(type_id=2, index_type_id=1, length=shape.value_size),
        ],
        "little" if byteorder == "little" else "big",
    )
    return made.data, 1, 3
