"""The fields of a map's value that belong to the kernel: locks, timers, pointers to kernel objects.

Copies of a value leave them out: user space reads them as new and cannot write them. Found in the
value's BTF by the names of their types (kernel/bpf/btf.c, btf_get_field_type).
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_fields import FIELDS, NEED_LOCK, SPIN_LOCKS, STARTS_AT_ONE
from bpflab.errors import BtfError
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.sim.maps.spec import MapSpec

RESTRICTED: Final = int(MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG)


@dataclass(frozen=True, slots=True)
class SpecialField:
    """A field that only the kernel writes: the name of its type, its offset and size in bytes."""

    name: str
    offset: int
    size: int


def special_fields(btf: Btf, type_id: int) -> tuple[SpecialField, ...]:
    """Find the special fields of a value type, in order of their offsets.

    The kernel takes no notice of any when they do not go together, and neither does this.
    """
    from bpflab.sim.maps.typed_fields import fields_inside

    try:
        found = sorted(fields_inside(btf, type_id), key=lambda field: field.offset)
    except BtfError:
        return ()
    fields = tuple(field for field in found if not field.offset % FIELDS[field.name].alignment)
    return fields if _go_together(fields) else ()


def check_fields(spec: MapSpec, fields: tuple[SpecialField, ...]) -> None:
    """Refuse a map whose values may not hold these fields: EACCES, EOPNOTSUPP."""
    refuse_if(fields and spec.flags & RESTRICTED, Errno.EACCES)
    refuse_if(any(spec.type not in FIELDS[field.name].maps for field in fields), Errno.EOPNOTSUPP)


def _go_together(fields: tuple[SpecialField, ...]) -> bool:
    names = Counter(field.name for field in fields)
    twice = any(count > 1 and FIELDS[name].only_one for name, count in names.items())
    locks = sum(names[name] for name in SPIN_LOCKS)
    return not twice and locks <= 1 and (locks == 1 or NEED_LOCK.isdisjoint(names))


def without(fields: tuple[SpecialField, ...], value: bytes) -> bytes:
    """Return a value with its special fields as new: what user space reads."""
    if not fields:
        return value
    copy = bytearray(value)
    for field in fields:
        first = int(field.name in STARTS_AT_ONE)
        copy[field.offset : field.offset + field.size] = first.to_bytes(field.size, sys.byteorder)
    return bytes(copy)


def store(fields: tuple[SpecialField, ...], place: bytearray | memoryview, value: bytes) -> None:
    """Copy a value to its place, all but its special fields."""
    start = 0
    for field in fields:
        place[start : field.offset] = value[start : field.offset]
        start = field.offset + field.size
    place[start:] = value[start:]
