"""Where the bytes of a BTF type lie: modifiers skipped, sizes, alignments, fields.

Byte and bit offsets are those of the type's own byte order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import MAX_RESOLVE_DEPTH
from bpflab.errors import BtfError
from bpflab.obj import btf_types as t

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.btf import Btf

POINTER_SIZE: Final = 8
"""Bytes of a pointer in a program; those of a kernel's types are `Btf.pointer_size`."""
_ALIASES: Final = (t.Typedef, t.Const, t.Volatile, t.Restrict, t.TypeTag)


def resolve(btf: Btf, type_id: int) -> int:
    """Follow typedefs, const, volatile, restrict and type tags to what they stand for."""
    for _ in range(MAX_RESOLVE_DEPTH):
        found = btf[type_id]
        if not isinstance(found, _ALIASES):
            return type_id
        type_id = found.type_id
    raise BtfError(f"BTF: type {type_id} stands for itself, or for more than {MAX_RESOLVE_DEPTH} others in turn.")


def resolved(btf: Btf, type_id: int) -> t.BtfType:
    """Decode what `resolve` finds."""
    return btf[resolve(btf, type_id)]


def size_of(btf: Btf, type_id: int) -> int:
    """Give the bytes a value of the type takes; BtfError for types that have no size (void, functions)."""
    elements = 1
    for _ in range(MAX_RESOLVE_DEPTH):
        match resolved(btf, type_id):
            case t.Int(size=size) | t.Float(size=size) | t.Enum(size=size) | t.Composite(size=size):
                return elements * size
            case t.Datasec(size=size):
                return elements * size
            case t.Pointer():
                return elements * btf.pointer_size
            case t.Array(type_id=element, length=length):
                elements, type_id = elements * length, element
            case t.Var(type_id=value):
                type_id = value
            case other:
                raise BtfError(f"BTF: type {type_id}, {other.kind.name} {other.name!r}, has no size.")
    raise BtfError(f"BTF: type {type_id} is nested more than {MAX_RESOLVE_DEPTH} deep.")


def align_of(btf: Btf, type_id: int) -> int:
    """Give the alignment C gives the type; a struct with a field off its place is packed, and has 1."""
    return _align(btf, type_id, MAX_RESOLVE_DEPTH)


def _align(btf: Btf, type_id: int, depth: int) -> int:
    if not depth:
        raise BtfError(f"BTF: type {type_id} is nested more than {MAX_RESOLVE_DEPTH} deep.")
    match resolved(btf, type_id):
        case t.Int(size=size) | t.Float(size=size) | t.Enum(size=size):
            return max(min(size, POINTER_SIZE), 1)  # a size of 0 is nonsense, and no reason to divide by it
        case t.Pointer():
            return btf.pointer_size
        case t.Array(type_id=element) | t.Var(type_id=element):
            return _align(btf, element, depth - 1)
        case t.Composite() as composite:
            return _composite_align(btf, composite, depth - 1)
        case other:
            raise BtfError(f"BTF: type {type_id}, {other.kind.name} {other.name!r}, has no alignment.")


def _composite_align(btf: Btf, composite: t.Composite, depth: int) -> int:
    largest = 1
    for member in composite.members:
        align = _align(btf, member.type_id, depth)
        if not member.bit_size and member.bit_offset % (8 * align):
            return 1
        largest = max(largest, align)
    return 1 if composite.size % largest else largest


@dataclass(frozen=True, slots=True)
class Field:
    """A named field, seen from the outermost struct: `bit_size` counts its bits, bitfield or not."""

    name: str
    type_id: int
    bit_offset: int
    bit_size: int
    bitfield: bool = False

    @property
    def offset(self) -> int:
        """The byte in which the field starts."""
        return self.bit_offset // 8


def fields(btf: Btf, type_id: int) -> Iterator[Field]:
    """List the fields of a struct or union by declaration, those of anonymous members as its own."""
    yield from _fields(btf, type_id, 0, MAX_RESOLVE_DEPTH)


def _fields(btf: Btf, type_id: int, base: int, depth: int) -> Iterator[Field]:
    composite = btf.get(resolve(btf, type_id), t.Composite)
    for member in composite.members:
        anonymous = not member.name and isinstance(resolved(btf, member.type_id), t.Composite)
        if anonymous and depth:
            yield from _fields(btf, member.type_id, base + member.bit_offset, depth - 1)
        elif not anonymous:
            yield _field(btf, member, base)


def _field(btf: Btf, member: t.Member, base: int) -> Field:
    if member.bit_size:
        return Field(member.name, member.type_id, base + member.bit_offset, member.bit_size, bitfield=True)
    return _whole_or_old_bitfield(btf, member, base + member.bit_offset)


def _whole_or_old_bitfield(btf: Btf, member: t.Member, at: int) -> Field:
    """Read a member as structs without the kind flag say it: the integer's own bits make a bitfield."""
    found = resolved(btf, member.type_id)
    if isinstance(found, t.Int) and (found.bits != found.size * 8 or found.offset):
        return Field(member.name, member.type_id, at + found.offset, found.bits, bitfield=True)
    return Field(member.name, member.type_id, at, 8 * size_of(btf, member.type_id))


def field(btf: Btf, type_id: int, path: str) -> Field:
    """Find a field by its name, or by names joined with dots through nested structs.

    Raises BtfError that lists the names there are.
    """
    base = 0
    *outer, last = path.split(".")
    for name in outer:
        found = _one(btf, type_id, name)
        base, type_id = base + found.bit_offset, found.type_id
    found = _one(btf, type_id, last)
    return Field(path, found.type_id, base + found.bit_offset, found.bit_size, found.bitfield)


def _one(btf: Btf, type_id: int, name: str) -> Field:
    for each in fields(btf, type_id):
        if each.name == name:
            return each
    names = ", ".join(each.name for each in fields(btf, type_id))
    raise BtfError(f"BTF: {btf.name(resolve(btf, type_id)) or 'the type'} has no field {name!r}; it has {names}.")
