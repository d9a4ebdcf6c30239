"""Names and texts of bytes that have a BTF type: `.packets`, `.address[2]`, `{length: 32, address: 0a000001}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.errors import BpfError
from bpflab.maps.codecs.btf import EnumValue, codec_by_id
from bpflab.maps.codecs.records import Record
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import fields, resolve, size_of
from bpflab.trace.values import number_text

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf

LONGEST_BYTES = 32
MOST_DEPTH = 8


def member_path(btf: Btf, type_id: int, offset: int, size: int, depth: int = MOST_DEPTH) -> tuple[str, int]:
    """Find the innermost member that holds `size` bytes at an offset: its path, such as `.a.b[2]`, and its type.

    The path is empty and the type the whole where no member does.
    """
    whole = ("", type_id)
    if not depth:
        return whole
    found = btf[resolve(btf, type_id)]
    if isinstance(found, t.Array) and (element := size_of(btf, found.type_id)):
        index, rest = divmod(offset, element)
        if rest + size > element:
            return whole
        inner, leaf = member_path(btf, found.type_id, rest, size, depth - 1)
        return f"[{index}]{inner}", leaf
    if not isinstance(found, t.Composite):
        return whole
    for each in fields(btf, type_id):
        start, width = each.bit_offset // 8, each.bit_size // 8
        if not each.bitfield and start <= offset and offset + size <= start + width:
            inner, leaf = member_path(btf, each.type_id, offset - start, size, depth - 1)
            return f".{each.name}{inner}", leaf
    return whole


def typed_text(btf: Btf | None, type_id: int, data: bytes, order: str = "little") -> str:
    """Write bytes as their type reads, or as a number or in hexadecimal where there is none or it does not fit."""
    if btf is not None and type_id:
        try:
            if size_of(btf, type_id) == len(data):
                return value_text(codec_by_id(btf, type_id).unpack(data))
        except BpfError:
            pass
    return bytes_text(data, order)


def bytes_text(data: bytes, order: str = "little") -> str:
    """Write bytes without a type: as a number where they can be one, else in hexadecimal, long ones cut."""
    if len(data) in {1, 2, 4, 8}:
        return number_text(int.from_bytes(data, "little" if order == "little" else "big"))
    cut = f"{data[:LONGEST_BYTES].hex(' ')} ... ({len(data)} bytes)"
    return data.hex(" ") if len(data) <= LONGEST_BYTES else cut


def value_text(value: Any) -> str:  # noqa: ANN401 - whatever a codec gives
    """Write a decoded value, as C would initialise it."""
    if isinstance(value, Record):
        return "{" + ", ".join(f"{name}: {value_text(value[name])}" for name in value.keys()) + "}"  # noqa: SIM118 - a Record iterates over values
    if isinstance(value, tuple):
        return "{" + ", ".join(value_text(each) for each in value) + "}"
    if isinstance(value, EnumValue):
        return repr(value)
    if isinstance(value, bool | str):
        return repr(value)
    if isinstance(value, bytes):
        return value.hex(" ")
    return number_text(value) if isinstance(value, int) else str(value)
