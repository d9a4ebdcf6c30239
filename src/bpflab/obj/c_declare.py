"""A BTF type as a declaration in C: `int (*name)(struct sk_buff *, u32)`, a struct with its members."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from bpflab.errors import BtfError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import align_of, resolved, size_of
from bpflab.obj.c_names import TAGS, CNames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.btf import Btf

_QUALIFIERS: Final[dict[type[t.BtfType], str]] = {
    t.Const: "const",
    t.Volatile: "volatile",
    t.Restrict: "restrict",
}
INDENT: Final = "\t"
ALIGNMENTS: Final = tuple(1 << power for power in range(1, 13))
PADS: Final = {1: "char", 2: "short", 4: "int", 8: "long"}


class CWriter:
    """Writes declarations of the types of one BTF. `offsets` adds the place and size of each member as a comment."""

    def __init__(self, btf: Btf, names: CNames | None = None, *, offsets: bool = False) -> None:
        self.btf = btf
        self.names = names or CNames(btf)
        self.offsets = offsets
        self._aligns: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._numbers = count(1)

    def declaration(self, type_id: int, name: str = "", depth: int = 0) -> str:
        """Declare something of a type: `name` may be empty, as for a parameter."""
        base, declarator = self._declarator(type_id, name, depth)
        return f"{base} {declarator}".rstrip()

    def prototype(self, type_id: int) -> str:
        """Declare a function by the id of its Func."""
        function = self.btf.get(type_id, t.Func)
        return self.declaration(function.type_id, function.name)

    def _declarator(self, type_id: int, inner: str, depth: int) -> tuple[str, str]:
        qualifiers, type_id = self._qualifiers(type_id)
        found = self.btf[type_id]
        prefix = "".join(f"{word} " for word in qualifiers)
        match found:
            case t.Pointer(type_id=target):
                gap = " " if qualifiers and inner and not inner.startswith(("[", "(")) else ""
                starred = f"*{prefix.rstrip()}{gap}{inner}"
                if isinstance(self._bare(target), t.Array | t.FuncProto):
                    starred = f"({starred})"
                return self._declarator(target, starred, depth)
            case t.Array(type_id=element, length=length):
                base, declarator = self._declarator(element, f"{inner}[{length}]", depth)
                return base if base.startswith(prefix) else prefix + base, declarator
            case t.FuncProto():
                return self._declarator(found.return_id, f"{inner}({self._parameters(found)})", depth)
            case _:
                return prefix + self._base(type_id, found, depth), inner

    def _qualifiers(self, type_id: int) -> tuple[list[str], int]:
        words: list[str] = []
        while isinstance(found := self.btf[type_id], t.Const | t.Volatile | t.Restrict | t.TypeTag):
            word = _QUALIFIERS.get(type(found))
            if word and word not in words:
                words.append(word)
            type_id = found.type_id
        return words, type_id

    def _bare(self, type_id: int) -> t.BtfType:
        return self.btf[self._qualifiers(type_id)[1]]

    def _parameters(self, proto: t.FuncProto) -> str:
        if not proto.parameters:
            return "void"
        return ", ".join(
            self.declaration(each.type_id, each.name) if each.type_id else "..." for each in proto.parameters
        )

    def _base(self, type_id: int, found: t.BtfType, depth: int) -> str:
        match found:
            case t.Typedef():
                return self.names.ordinary(type_id)
            case t.Forward(union=union):
                return f"{'union' if union else 'struct'} {self.names.tag(type_id)}"
            case t.Composite() | t.Enum() if found.name:
                return f"{TAGS[found.kind]} {self.names.tag(type_id)}"
            case t.Composite():
                return self.composite(type_id, depth)
            case t.Enum():
                return self.enum(type_id, depth)
            case _:
                return found.name or "void"

    def enum(self, type_id: int, depth: int = 0) -> str:
        """Define an enum, named or not."""
        found = self.btf.get(type_id, t.Enum)
        inside = INDENT * (depth + 1)
        head = f"enum {self.names.tag(type_id)}".rstrip()
        if not found.values:
            return head
        lines = [
            f"{inside}{self.names.enumerator(each.name)} = {_literal(found, each.value)}," for each in found.values
        ]
        small = {1: " __attribute__((mode(byte)))", 2: " __attribute__((mode(HI)))"}.get(found.size, "")
        return "\n".join([f"{head} {{", *lines, f"{INDENT * depth}}}{small}"])

    def composite(self, type_id: int, depth: int = 0) -> str:
        """Define a struct or union, named or not, with the layout that BTF says."""
        found = self.btf.get(type_id, t.Composite)
        head = f"{TAGS[found.kind]} {self.names.tag(type_id)}".rstrip()
        if not found.members and not found.size:
            return f"{head} {{}}"
        packed = isinstance(found, t.Struct) and self._is_packed(found)
        lines = [INDENT * (depth + 1) + line for line in self._members(found, depth + 1, packed=packed)]
        attributes = self._attributes(found, packed=packed)
        return "\n".join([f"{head} {{", *lines, f"{INDENT * depth}}}{attributes}"])

    def _is_packed(self, found: t.Composite) -> bool:
        """Tell whether C would put a member elsewhere, or make the whole larger."""
        whole = [member for member in found.members if not member.bit_size]
        if found.size % max(map(self._whole_align, found.members), default=1):
            return True
        return any(member.bit_offset % (8 * self._whole_align(member)) for member in whole)

    def _align(self, member: t.Member) -> int:
        """Return where a member may start: a bitfield at any bit."""
        return 1 if member.bit_size else self._whole_align(member)

    def _whole_align(self, member: t.Member) -> int:
        """Return what the whole struct must be aligned to for a member."""
        found = self._aligns.get(member.type_id)
        if found is None:
            found = self._aligns[member.type_id] = _align_or_1(self.btf, member.type_id)
        return found

    def _size(self, type_id: int) -> int:
        found = self._sizes.get(type_id)
        if found is None:
            found = self._sizes[type_id] = size_of(self.btf, type_id)
        return found

    def _members(self, found: t.Composite, depth: int, *, packed: bool) -> Iterator[str]:
        union = isinstance(found, t.Union)
        at = 0
        for member in found.members:
            if not union:
                yield from self._gap(at, member, packed=packed)
            bits = f": {member.bit_size}" if member.bit_size else ""
            text = f"{self.declaration(member.type_id, member.name, depth)}{bits};"
            yield text + (self._place(member) if self.offsets else "")
            at = member.bit_offset + self._bits(member)
        yield from self._tail(found, packed=packed)

    def _bits(self, member: t.Member) -> int:
        return member.bit_size or 8 * self._size(member.type_id)

    def _place(self, member: t.Member) -> str:
        bits = f".{member.bit_offset % 8}" if member.bit_size else ""
        size = f"{member.bit_size} bits" if member.bit_size else f"{size_of(self.btf, member.type_id)}"
        return f" /* {member.bit_offset // 8}{bits}, {size} */"

    def _gap(self, at: int, member: t.Member, *, packed: bool) -> Iterator[str]:
        """Fill what C would not leave between two members."""
        if member.bit_size:
            yield from self._bit_gap(at, member)
            return
        align = 1 if packed else self._align(member)
        natural = -(-at // (8 * align)) * 8 * align
        if natural < member.bit_offset:
            start = -(-at // 8)
            yield f"char __pad_{next(self._numbers)}[{member.bit_offset // 8 - start}];"

    def _bit_gap(self, at: int, member: t.Member) -> Iterator[str]:
        size = self._size(member.type_id)
        missing, unit = member.bit_offset - at, 8 * size
        if missing <= 0:
            return
        if missing >= 8 and at % 8 == 0:
            yield f"char __pad_{next(self._numbers)}[{missing // 8}];"
            missing %= 8
        natural = at // unit != (at + member.bit_size - 1) // unit and -(-at // unit) * unit == member.bit_offset
        if missing and not natural:
            yield f"{PADS[size]}: {missing};"

    def _natural_size(self, found: t.Composite, *, packed: bool) -> int:
        """Return the bytes that C gives the members, as they stand."""
        ends = [member.bit_offset + self._bits(member) for member in found.members]
        align = 1 if packed else max(map(self._whole_align, found.members), default=1)
        return -(-max(ends, default=0) // (8 * align)) * align

    def _attributes(self, found: t.Composite, *, packed: bool) -> str:
        """Say that it is packed, or aligned to more than its members are."""
        words = ["packed"] if packed else []
        natural = self._natural_size(found, packed=packed)
        if natural < found.size:
            fitting = (align for align in ALIGNMENTS if -(-natural // align) * align == found.size)
            words += [f"aligned({align})" for align in list(fitting)[:1]]
        return f" __attribute__(({', '.join(words)}))" if words else ""

    def _tail(self, found: t.Composite, *, packed: bool) -> Iterator[str]:
        """Fill up to the size where no alignment explains it."""
        natural = self._natural_size(found, packed=packed)
        if natural < found.size and "aligned" not in self._attributes(found, packed=packed):
            size = found.size if isinstance(found, t.Union) else found.size - natural
            yield f"char __pad_{next(self._numbers)}[{size}];"


def _align_or_1(btf: Btf, type_id: int) -> int:
    try:
        return align_of(btf, type_id)
    except BtfError:
        return 1  # an incomplete type, at the end of a struct


def _literal(found: t.Enum, value: int) -> str:
    if value < 0:
        return str(value)
    suffix = "ULL" if found.size == 8 and value >> 31 else "U" if value >> 31 else ""
    return f"{value}{suffix}"


def layout_in_c(btf: Btf, type_id: int) -> str:
    """Return the definition of a struct or union with the place and size of each member."""
    writer = CWriter(btf, offsets=True)
    found = resolved(btf, type_id)
    return f"{writer.composite(type_id)}; /* {found.size if isinstance(found, t.Composite) else 0} bytes */"


def described(btf: Btf, name: str) -> str:
    """Show what goes by a name: structs and unions with their layout, enums, typedefs, functions."""
    writer = CWriter(btf, offsets=True)
    found = [type_id for type_id in btf.ids(name) if not isinstance(btf[type_id], t.Forward | t.DeclTag | t.Datasec)]
    if not found:
        btf.require(name)
    return "\n".join(_described(writer, type_id) for type_id in found)


def _described(writer: CWriter, type_id: int) -> str:
    match writer.btf[type_id]:
        case t.Composite():
            return layout_in_c(writer.btf, type_id)
        case t.Enum():
            return f"{writer.enum(type_id)};"
        case t.Typedef(type_id=target, name=name):
            return f"typedef {writer.declaration(target, name)};"
        case t.Func():
            return f"{writer.prototype(type_id)};"
        case t.Var(type_id=value, name=name):
            return f"{writer.declaration(value, name)};"
        case _:
            return f"{writer.declaration(type_id)};"
