"""Maps whose values have fields that belong to the kernel, such as a lock: what is wrong where they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_fields import FIELDS
from bpflab.errors import SyscallError
from bpflab.maps.check import flag_names
from bpflab.maps.creation import MapNotSupportedError, send_create

if TYPE_CHECKING:
    from bpflab.backend.descriptor import Descriptor
    from bpflab.lab import Lab
    from bpflab.maps.creation import Creation
    from bpflab.maps.shape import MapShape
    from bpflab.obj.btf import Btf
    from bpflab.obj.special_fields import SpecialField

NOT_OF_THE_FIELDS: Final = frozenset({Errno.EPERM, Errno.ENOMEM, Errno.E2BIG})
"""Refusals that have nothing to do with what a value's type is."""
RESTRICTED: Final = MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG
"""Flags with which no value may have such fields (map_check_btf of kernel/bpf/syscall.c)."""


def kernel_fields(types: Btf | None, value_id: int) -> tuple[SpecialField, ...]:
    """Return the fields of a value's type that belong to the kernel."""
    if types is None or not value_id:
        return ()
    from bpflab.obj.special_fields import special_fields

    return special_fields(types, value_id)


def explained(shape: MapShape, fields: tuple[SpecialField, ...], error: SyscallError) -> SyscallError:
    """Return the error of a map that was refused for such fields, in words; the error itself when it was not."""
    if not fields or error.errno in NOT_OF_THE_FIELDS:
        return error
    wrong = next((field for field in fields if shape.type not in FIELDS[field.name].maps), None)
    failure = error.failure
    text = f"The {shape.label} could not be created ({failure.name}: {failure.meaning}). Its values have "
    if wrong is not None:
        allowed = ", ".join(sorted(kind.name for kind in FIELDS[wrong.name].maps))
        return MapNotSupportedError(
            f"{text}{_place(wrong)}, which only these types may have: {allowed}.",
            failure,
            "Take one of these types, or leave the field out.",
        )
    if shape.flags & RESTRICTED:
        flags = flag_names(shape.flags & RESTRICTED)
        return MapNotSupportedError(
            f"{text}{_place(fields[0])}, and a map with such a field cannot be {flags}.",
            failure,
            "Leave out the flag or the field.",
        )
    return error


def _place(field: SpecialField) -> str:
    return f"a {field.name} at byte {field.offset}"


def create_typed(lab: Lab, shape: MapShape, creation: Creation, fields: tuple[SpecialField, ...]) -> Descriptor:
    """Send MAP_CREATE for a map whose values have such fields, or none; the descriptor, or the error in words."""
    try:
        return send_create(lab, shape, creation)
    except SyscallError as error:
        refusal = explained(shape, fields, error)
    raise refusal
