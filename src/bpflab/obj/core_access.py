"""Ways into a type: what an access string such as `0:5:1` means in the program's BTF, and in a kernel's.

The string is from clang: the first number indexes an array of the type itself, each further one a member of a
struct or an element of an array, anonymous structs included. In a kernel's BTF the way is found again by the
names of the members, wherever they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolve, size_of
from bpflab.obj.core_compat import Pair, fields_compatible, same_name

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf

_LONGEST: Final = 64
"""Most steps of a way; libbpf takes as many."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step into type `type_id`: to the member, enumerator or element `index`; elements have no name."""

    type_id: int
    index: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """A way from type `root` of a BTF to a field or enumerator, and the bits from the root's start to it."""

    btf: Btf
    root: int
    steps: tuple[Step, ...] = ()
    bit_offset: int = 0

    def __str__(self) -> str:
        name = self.btf.name(self.root) or "(anonymous)"
        return name + "".join(f".{step.name}" if step.name else f"[{step.index}]" for step in self.steps[1:])

    def to(self, type_id: int, index: int, name: str = "", bits: int = 0) -> Access:
        """Go one step further."""
        return Access(self.btf, self.root, (*self.steps, Step(type_id, index, name)), self.bit_offset + bits)


def local_field(btf: Btf, root: int, access: str) -> Access:
    """Follow an access string to a field; ObjectError where it does not fit the types."""
    first, *rest = _numbers(access)
    way, type_id = Access(btf, root).to(root, first, bits=8 * first * size_of(btf, root) if first else 0), root
    for number in rest:
        way, type_id = _step(way, type_id, number)
    return way


def _step(way: Access, type_id: int, number: int) -> tuple[Access, int]:
    """Go to a member or element by its number; a member without a name leaves no step."""
    btf, type_id = way.btf, resolve(way.btf, type_id)
    match btf[type_id]:
        case t.Composite(members=members) if number < len(members):
            member = members[number]
            if not member.name:
                return Access(btf, way.root, way.steps, way.bit_offset + member.bit_offset), member.type_id
            return way.to(type_id, number, member.name, member.bit_offset), member.type_id
        case t.Array(type_id=element) as array if number < array.length or is_flexible(way, array):
            element = resolve(btf, element)
            return way.to(element, number, bits=8 * number * size_of(btf, element)), element
        case other:
            raise ObjectError(f"{way} has no part {number}: it is {other.kind.name} {other.name!r}.")


def local_enumerator(btf: Btf, root: int, access: str) -> Access:
    """Find the enumerator that an access string means."""
    found = btf[resolve(btf, root)]
    number, *rest = _numbers(access)
    if rest or not isinstance(found, t.Enum) or number >= len(found.values):
        raise ObjectError(f"{btf.name(root)!r} is no enum with a value of number {access}.")
    return Access(btf, root).to(resolve(btf, root), number, found.values[number].name)


def _numbers(access: str) -> list[int]:
    parts = access.split(":")
    if len(parts) > _LONGEST or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise ObjectError(f"the access string {access[:80]!r} is malformed.")
    return [int(part) for part in parts]


def is_flexible(way: Access, array: t.Array) -> bool:
    """Say whether an array without a length is the last member of the struct that the way leads through."""
    last = way.steps[-1]
    if not last.name or array.length:
        return False
    return last.index == len(way.btf.get(last.type_id, t.Composite).members) - 1


def target_field(local: Access, target: Btf, root: int) -> Access | None:
    """Find a field again in another BTF's type, by names; None if a part is missing or of an unlike type."""
    way, type_id, pair = Access(target, root), root, Pair(local.btf, target)
    for number, step in enumerate(local.steps):
        type_id = resolve(target, type_id)
        if step.name:
            member = local.btf.get(step.type_id, t.Composite).members[step.index]
            found = _member(pair, way, type_id, member)
        else:
            found = _element(way, type_id, step.index, first=number == 0)
        if found is None:
            return None
        way, type_id = found
    return way


def _element(way: Access, type_id: int, index: int, *, first: bool) -> tuple[Access, int] | None:
    btf = way.btf
    if not first:
        array = btf[type_id]
        if not isinstance(array, t.Array) or (index >= array.length and not is_flexible(way, array)):
            return None
        type_id = resolve(btf, array.type_id)
    bits = 8 * index * size_of(btf, type_id) if index else 0
    return way.to(type_id, index, bits=bits), type_id


def _member(pair: Pair, way: Access, type_id: int, wanted: t.Member, depth: int = 32) -> tuple[Access, int] | None:
    """Find a member by name, in anonymous members too; None if there is none, or one of an unlike type."""
    composite = pair.target[type_id]
    if not isinstance(composite, t.Composite) or not depth:
        return None
    for index, member in enumerate(composite.members):
        if not member.name:
            inside = Access(way.btf, way.root, way.steps, way.bit_offset + member.bit_offset)
            found = _member(pair, inside, resolve(pair.target, member.type_id), wanted, depth - 1)
            if found is not None:
                return found
        elif member.name == wanted.name:
            alike = fields_compatible(pair, wanted.type_id, member.type_id)
            return (way.to(type_id, index, member.name, member.bit_offset), member.type_id) if alike else None
    return None


def target_enumerator(local: Access, target: Btf, root: int) -> Access | None:
    """Find an enumerator again in another BTF's enum, by its name; None if it is not there."""
    type_id = resolve(target, root)
    found = target[type_id]
    if isinstance(found, t.Enum):
        for index, each in enumerate(found.values):
            if same_name(local.steps[0].name, each.name):
                return Access(target, root).to(type_id, index, each.name)
    return None
