"""The context of skb programs: where the simulator keeps the fields of `struct __sk_buff`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.memory import RegionKind

if TYPE_CHECKING:
    from bpflab.abi.context import ContextField
    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.memory import Scope
    from bpflab.sim.skb import Skb

SK_BUFF: Final = layout("__sk_buff")
POINTERS: Final = {
    "data": (192, Kind.PACKET),
    "data_end": (200, Kind.PACKET_END),
    "data_meta": (208, Kind.PACKET_META),
}
"""Where 64-bit pointers stand that `__sk_buff` has as 32 bits: behind the structure itself."""
SIZE: Final = 216
THREE_POINTERS: Final = {"little": struct.Struct("<3Q"), "big": struct.Struct(">3Q")}
KERNEL_SIZES: Final = {"pkt_type": 1} | dict.fromkeys(
    (
        *("protocol", "vlan_proto", "vlan_tci", "queue_mapping", "tc_index", "tc_classid"),
        *("gso_segs", "gso_size", "family", "remote_port", "local_port"),
    ),
    2,
)
"""Fields that `struct sk_buff` and `struct sock` keep in fewer bytes than `__sk_buff` has; the others have all four.

A read of no fewer bytes than that gives the whole value, wherever in the field it begins: the verifier's
convert_ctx_accesses shifts only what is narrower than the kernel's own field. A write keeps only so much.
"""
NUMBERS: Final = {
    order: {field.name: (struct.Struct(prefix + field.code), field.offset) for field in SK_BUFF.fields}
    for order, prefix in (("little", "<"), ("big", ">"))
}
"""How each field's numbers are read and written, by byte order and name: a struct and an offset."""
WIDE: Final = {"flow_keys": Kind.FLOW_KEYS, "sk": Kind.SOCK_COMMON}


class SkbContext:
    """The bytes of an skb's context. Plain numbers stand where `__sk_buff` has them, pointers behind it."""

    def __init__(self, scope: Scope) -> None:
        self.bytes = bytearray(SIZE)
        self.region = scope.add(RegionKind.CONTEXT, self.bytes, name="__sk_buff", owner=self)
        self.order = scope.memory.order
        self.numbers = NUMBERS[self.order]

    def __getitem__(self, name: str) -> int:
        number, offset = self.numbers[name]
        value: int = number.unpack_from(self.bytes, offset)[0]
        return value

    def __setitem__(self, name: str, value: int) -> None:
        number, offset = self.numbers[name]
        number.pack_into(self.bytes, offset, value & ((1 << 8 * number.size) - 1))

    def raw(self, name: str) -> bytes:
        """Return a field's bytes, the whole of an array."""
        field = SK_BUFF.field(name)
        return bytes(self.bytes[field.offset : field.end])

    def set_raw(self, name: str, content: bytes) -> None:
        """Set a field's bytes: network addresses, cb."""
        field = SK_BUFF.field(name)
        self.bytes[field.offset : field.end] = content.ljust(field.end - field.offset, b"\0")

    def network(self, name: str) -> int:
        """Return a 16-bit number that stands in network byte order, in host byte order."""
        return int.from_bytes((self[name] & 0xFFFF).to_bytes(2, self.order), "big")

    def set_network(self, name: str, value: int) -> None:
        """Set a 16-bit number that stands in network byte order."""
        self[name] = int.from_bytes(value.to_bytes(2, "big"), self.order)

    def write_pointers(self, skb: Skb) -> None:
        """Write the packet's pointers and length."""
        base = skb.region.address
        pointers = (base + skb.data, base + skb.data + skb.linear_length, base + skb.data - skb.meta_length)
        THREE_POINTERS[self.order].pack_into(self.bytes, POINTERS["data"][0], *pointers)
        self["len"] = skb.length


def place(field: ContextField, offset: int, size: int, order: ByteOrder, *, store: bool) -> CtxField:
    """Say where the simulated context keeps the accessed bytes of a field."""
    if field.name in POINTERS:
        at, kind = POINTERS[field.name]
        return CtxField(kind, at, 8)
    if field.name in WIDE:
        return CtxField(WIDE[field.name], offset, 8, nullable=field.name == "sk")
    kept = KERNEL_SIZES.get(field.name, field.size)
    if field.count or (size < kept and not store):
        return CtxField(Kind.SCALAR, offset, size)
    whole = kept if store else size
    return CtxField(Kind.SCALAR, field.offset if order == "little" else field.end - whole, whole)
