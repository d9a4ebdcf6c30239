"""The number that answers a CO-RE relocation, from one way into one BTF.

Asked of the program's own BTF it gives what the compiler wrote into the instruction, asked of a kernel's what
has to stand there. The arithmetic of bitfields is that of libbpf, whose macros in bpf_core_read.h it serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.core import CoreKind
from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolve, resolved, size_of

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.obj.core_access import Access


@dataclass(frozen=True, slots=True)
class Answer:
    """A number; `exact` if the compiler must have written the same for its own types.

    For the offset of a field that a load or store may use, `size` is the bytes of the field, or of an element
    of it, and `type_id` its type; else 0.
    """

    value: int
    exact: bool = True
    size: int = 0
    type_id: int = 0


def answer(kind: CoreKind, access: Access) -> Answer:
    """Answer a relocation where the type, field or enumerator was found."""
    if kind.about_field:
        return _field(kind, access)
    if kind.about_enumerator:
        return _enumerator(kind, access)
    if kind is CoreKind.TYPE_SIZE:
        return Answer(size_of(access.btf, access.root))
    if kind in {CoreKind.TYPE_ID_LOCAL, CoreKind.TYPE_ID_TARGET}:
        return Answer(access.root, exact=False)
    return Answer(1)


def answer_missing(kind: CoreKind) -> Answer | None:
    """Answer a relocation where nothing was found; None if there is no answer, and the instruction is poisoned."""
    if kind in {CoreKind.ENUMVAL_VALUE, CoreKind.TYPE_ID_LOCAL} or (
        kind.about_field and kind is not CoreKind.FIELD_EXISTS
    ):
        return None
    return Answer(0)


def _enumerator(kind: CoreKind, access: Access) -> Answer:
    if kind is CoreKind.ENUMVAL_EXISTS:
        return Answer(1)
    step = access.steps[0]
    return Answer(access.btf.get(step.type_id, t.Enum).values[step.index].value)


def _field(kind: CoreKind, access: Access) -> Answer:
    if kind is CoreKind.FIELD_EXISTS:
        return Answer(1)
    step = access.steps[-1]
    if not step.name:
        return _element(kind, access, step.type_id)
    member = access.btf.get(step.type_id, t.Composite).members[step.index]
    return _member(kind, access, member)


def _element(kind: CoreKind, access: Access, type_id: int) -> Answer:
    size = size_of(access.btf, type_id)
    if kind is CoreKind.FIELD_BYTE_OFFSET:
        return Answer(access.bit_offset // 8, size=size, type_id=type_id)
    if kind is CoreKind.FIELD_BYTE_SIZE:
        return Answer(size)
    raise ObjectError(f"{kind.name} cannot be asked of {access}, an element of an array.")


@dataclass(frozen=True, slots=True)
class _Place:
    """The bits of a field, and the integer of `size` bytes at byte `start` that holds them all."""

    bit_offset: int
    bit_size: int
    start: int
    size: int


def _place(btf: Btf, access: Access, member: t.Member) -> _Place:
    size, at, bits = size_of(btf, member.type_id), access.bit_offset, member.bit_size
    if not bits:
        return _Place(at, 8 * size, at // 8, size)
    start = at // 8 // size * size
    while at + bits - 8 * start > 8 * size:
        if size >= 8:
            raise ObjectError(f"{access} is a bitfield that no integer of 64 bits holds.")
        size *= 2
        start = at // 8 // size * size
    return _Place(at, bits, start, size)


def _member(kind: CoreKind, access: Access, member: t.Member) -> Answer:
    btf, bitfield = access.btf, bool(member.bit_size)
    place = _place(btf, access, member)
    match kind:
        case CoreKind.FIELD_BYTE_OFFSET if bitfield:
            return Answer(place.start, exact=False)
        case CoreKind.FIELD_BYTE_OFFSET:
            element = _innermost(btf, member.type_id)
            return Answer(place.start, size=size_of(btf, element), type_id=element)
        case CoreKind.FIELD_BYTE_SIZE:
            return Answer(place.size, exact=not bitfield)
        case CoreKind.FIELD_SIGNED:
            found = resolved(btf, member.type_id)
            return Answer(int(isinstance(found, (t.Int, t.Enum)) and found.signed))
        case CoreKind.FIELD_LSHIFT_U64:
            return Answer(_left_shift(btf, place), exact=not bitfield)
        case _:
            return Answer(64 - place.bit_size)


def _left_shift(btf: Btf, place: _Place) -> int:
    """Give how far to shift a u64 that the integer was read into, for the field's top bit to become its own."""
    inside = place.bit_offset - 8 * place.start
    if btf.byteorder == "little":
        return 64 - inside - place.bit_size
    return 64 - 8 * place.size + inside


def _innermost(btf: Btf, type_id: int) -> int:
    """Give the type of an array's elements, however many dimensions it has, or the type itself."""
    type_id = resolve(btf, type_id)
    found = btf[type_id]
    while isinstance(found, t.Array):
        type_id = resolve(btf, found.type_id)
        found = btf[type_id]
    return type_id
