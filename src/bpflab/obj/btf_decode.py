"""From the words of one BTF type to its value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from bpflab.abi.btf import KIND_FLAG, MAX_VLEN, BtfKind, FuncLinkage, IntEncoding, VarLinkage
from bpflab.errors import BtfError
from bpflab.obj import btf_types as t

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator

    Strings: TypeAlias = Callable[[int], str]


class Record:
    """One type's words, and how to read strings: what every decoder below takes.

    `third` is the word that holds a size or a type id, `tail` the words behind it.
    """

    __slots__ = ("flag", "name", "string", "tail", "third", "vlen")

    def __init__(self, head: tuple[int, int, int], tail: array[int], string: Strings) -> None:
        name_off, info, self.third = head
        self.name = string(name_off)
        self.vlen = info & MAX_VLEN
        self.flag = bool(info & KIND_FLAG)
        self.tail = tail
        self.string = string

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Read the tail as items of two words."""
        words = iter(self.tail)
        return zip(words, words, strict=True)

    def triples(self) -> Iterator[tuple[int, int, int]]:
        """Read the tail as items of three words."""
        words = iter(self.tail)
        return zip(words, words, words, strict=True)


def decode(kind: BtfKind, record: Record) -> t.BtfType:
    """Build the value of a type; BtfError if a word holds what its field cannot."""
    try:
        return _DECODERS[kind](record)
    except ValueError as problem:
        raise BtfError(f"BTF: {kind.name} {record.name!r} is malformed: {problem}.") from problem


def _void(record: Record) -> t.BtfType:
    raise ValueError(f"kind 0 stands for type 0 alone, and {record.vlen} items follow")


def _int(record: Record) -> t.Int:
    (word,) = record.tail
    return t.Int(
        name=record.name,
        size=record.third,
        bits=word & 0xFF,
        encoding=IntEncoding(word >> 24 & 0xF),
        offset=word >> 16 & 0xFF,
    )


def _float(record: Record) -> t.Float:
    return t.Float(name=record.name, size=record.third)


def _reference(cls: type[t.Reference]) -> Callable[[Record], t.Reference]:
    return lambda record: cls(name=record.name, type_id=record.third)


def _type_tag(record: Record) -> t.TypeTag:
    return t.TypeTag(name=record.name, type_id=record.third, attribute=record.flag)


def _decl_tag(record: Record) -> t.DeclTag:
    (component,) = record.tail
    signed = component - (1 << 32) if component >> 31 else component
    return t.DeclTag(name=record.name, type_id=record.third, component=signed, attribute=record.flag)


def _array(record: Record) -> t.Array:
    element, index, length = record.tail
    return t.Array(name=record.name, type_id=element, index_type_id=index, length=length)


def _member(record: Record, name_off: int, type_id: int, place: int) -> t.Member:
    if record.flag:
        return t.Member(record.string(name_off), type_id, place & 0xFFFFFF, place >> 24)
    return t.Member(record.string(name_off), type_id, place)


def _composite(cls: type[t.Composite]) -> Callable[[Record], t.Composite]:
    def build(record: Record) -> t.Composite:
        members = tuple(_member(record, *words) for words in record.triples())
        return cls(name=record.name, size=record.third, members=members)

    return build


def _signed(value: int, bits: int, *, signed: bool) -> int:
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def _enum(record: Record) -> t.Enum:
    values = tuple(
        t.EnumValue(record.string(name_off), _signed(value, 32, signed=record.flag))
        for name_off, value in record.pairs()
    )
    return t.Enum(name=record.name, size=record.third, values=values, signed=record.flag)


def _enum64(record: Record) -> t.Enum64:
    values = tuple(
        t.EnumValue(record.string(name_off), _signed(high << 32 | low, 64, signed=record.flag))
        for name_off, low, high in record.triples()
    )
    return t.Enum64(name=record.name, size=record.third, values=values, signed=record.flag)


def _forward(record: Record) -> t.Forward:
    return t.Forward(name=record.name, union=record.flag)


def _func_proto(record: Record) -> t.FuncProto:
    parameters = tuple(t.Parameter(record.string(name_off), type_id) for name_off, type_id in record.pairs())
    return t.FuncProto(name=record.name, return_id=record.third, parameters=parameters)


def _func(record: Record) -> t.Func:
    return t.Func(name=record.name, type_id=record.third, linkage=FuncLinkage(record.vlen))


def _var(record: Record) -> t.Var:
    (linkage,) = record.tail
    return t.Var(name=record.name, type_id=record.third, linkage=VarLinkage(linkage))


def _datasec(record: Record) -> t.Datasec:
    variables = tuple(t.SectionVariable(*words) for words in record.triples())
    return t.Datasec(name=record.name, size=record.third, variables=variables)


_DECODERS: Final[dict[BtfKind, Callable[[Record], t.BtfType]]] = {
    BtfKind.VOID: _void,
    BtfKind.INT: _int,
    BtfKind.PTR: _reference(t.Pointer),
    BtfKind.ARRAY: _array,
    BtfKind.STRUCT: _composite(t.Struct),
    BtfKind.UNION: _composite(t.Union),
    BtfKind.ENUM: _enum,
    BtfKind.FWD: _forward,
    BtfKind.TYPEDEF: _reference(t.Typedef),
    BtfKind.VOLATILE: _reference(t.Volatile),
    BtfKind.CONST: _reference(t.Const),
    BtfKind.RESTRICT: _reference(t.Restrict),
    BtfKind.FUNC: _func,
    BtfKind.FUNC_PROTO: _func_proto,
    BtfKind.VAR: _var,
    BtfKind.DATASEC: _datasec,
    BtfKind.FLOAT: _float,
    BtfKind.DECL_TAG: _decl_tag,
    BtfKind.TYPE_TAG: _type_tag,
    BtfKind.ENUM64: _enum64,
}
