"""What the struct type of a BTF-defined map says: the fields that __uint, __type, __array and __ulong make.

`__uint(name, n)` is a pointer to an array of n elements, `__ulong` an enum with one value, `__type` a pointer
to the type, `__array(values, t)` an array of pointers to t (libbpf's bpf_helpers.h).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolve, resolved, size_of

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf

NUMBERS: Final = (
    "type",
    "max_entries",
    "map_flags",
    "numa_node",
    "key_size",
    "value_size",
    "pinning",
    "map_extra",
)
TYPES: Final = ("key", "value")
_SIZES: Final = {"key": "key_size", "value": "value_size"}


@dataclass(slots=True)
class MapFields:
    """A definition's fields: numbers by name, BTF ids of `key` and `value`, and what `values` holds.

    `values_at` is the byte offset of the array of initial values in the variable, None without one;
    `values_id` the type that its pointers point to.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    values_at: int | None = None
    values_id: int = 0

    def number(self, name: str) -> int:
        """Give a number, 0 if the definition does not mention it."""
        return self.numbers.get(name, 0)


def read_fields(btf: Btf, type_id: int, name: str) -> MapFields:
    """Read the struct type of map `name`; ObjectError for a field that is unknown, twice or of no such shape."""
    struct = resolved(btf, type_id)
    if not isinstance(struct, t.Struct):
        raise ObjectError(f"map {name!r} in .maps is defined as {struct.kind.name}; expected a struct.")
    fields = MapFields()
    for member in struct.members:
        try:
            _read(btf, member, fields)
        except ObjectError as problem:
            raise ObjectError(f"map {name!r}: field {member.name!r}: {problem}") from problem
    return fields


def _read(btf: Btf, member: t.Member, fields: MapFields) -> None:
    if member.name in NUMBERS:
        _agree(fields.numbers, member.name, _number(btf, member))
    elif member.name in TYPES:
        type_id = btf.get(resolve(btf, member.type_id), t.Pointer).type_id
        fields.types[member.name] = type_id
        _agree(fields.numbers, _SIZES[member.name], size_of(btf, type_id))
    elif member.name == "values":
        array = btf.get(resolve(btf, member.type_id), t.Array)
        fields.values_at = member.bit_offset // 8
        fields.values_id = resolve(btf, btf.get(resolve(btf, array.type_id), t.Pointer).type_id)
    else:
        raise ObjectError(f"it is not known; known are {', '.join((*NUMBERS, *TYPES, 'values'))}.")


def _agree(numbers: dict[str, int], name: str, value: int) -> None:
    if numbers.setdefault(name, value) != value:
        raise ObjectError(f"it says {name} = {value}, and another field says {numbers[name]}.")


def _number(btf: Btf, member: t.Member) -> int:
    found = resolved(btf, member.type_id)
    if isinstance(found, t.Enum) and found.values:
        return found.values[0].value & 0xFFFFFFFFFFFFFFFF
    if isinstance(found, t.Pointer):
        return btf.get(resolve(btf, found.type_id), t.Array).length
    raise ObjectError(f"it is of kind {found.kind.name}; write it with __uint or __ulong.")
