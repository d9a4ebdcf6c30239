"""The fields of a map's value that belong to the kernel: locks, timers, pointers to kernel objects.

Copies of a value leave them out: user space reads them as new and cannot write them. `bpflab.obj.special_fields`
finds them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_fields import FIELDS, STARTS_AT_ONE
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from bpflab.obj.special_fields import SpecialField
    from bpflab.sim.maps.spec import MapSpec

RESTRICTED: Final = int(MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG)


def check_fields(spec: MapSpec, fields: tuple[SpecialField, ...]) -> None:
    """Refuse a map whose values may not hold these fields: EACCES, EOPNOTSUPP."""
    refuse_if(fields and spec.flags & RESTRICTED, Errno.EACCES)
    refuse_if(any(spec.type not in FIELDS[field.name].maps for field in fields), Errno.EOPNOTSUPP)


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
