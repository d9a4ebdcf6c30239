"""MAP_CREATE itself, and its errors in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno, errno_meaning, errno_name
from bpflab.backend.attr import Attr
from bpflab.backend.call import capability_advice
from bpflab.backend.descriptor import Descriptor
from bpflab.errors import (
    BpfError,
    CallFailure,
    NotPermittedError,
    NotSupportedError,
    OutOfMemoryError,
    SyscallError,
)
from bpflab.maps.check import flag_names

if TYPE_CHECKING:
    from bpflab.lab import Lab
    from bpflab.maps.shape import MapShape


@dataclass(frozen=True, slots=True)
class Creation:
    """All that MAP_CREATE needs to know besides the shape; 0 where a thing was not asked for."""

    numa_node: int = 0
    inner_fd: int = 0
    btf_fd: int = 0
    key_type_id: int = 0
    value_type_id: int = 0


def send_create(lab: Lab, shape: MapShape, creation: Creation) -> Descriptor:
    """Send MAP_CREATE; the descriptor, or the error in words."""
    values = {
        "map_type": int(shape.type),
        "key_size": shape.key_size,
        "value_size": shape.value_size,
        "max_entries": shape.max_entries,
        "map_flags": int(shape.flags),
        "inner_map_fd": creation.inner_fd,
        "numa_node": creation.numa_node,
        "btf_fd": creation.btf_fd,
        "btf_key_type_id": creation.key_type_id,
        "btf_value_type_id": creation.value_type_id,
        "map_extra": shape.map_extra,
    }
    attr = Attr(Command.MAP_CREATE, values)
    attr["map_name"] = shape.name.encode()
    fd = lab.call.send(Command.MAP_CREATE, attr)
    if fd < 0:
        raise creation_error(shape, lab.backend.errno(), values)
    return Descriptor(lab.backend, fd, f"The {shape.label}")


def creation_error(shape: MapShape, errno: int, values: dict[str, int]) -> BpfError:
    """Build the error of a refused MAP_CREATE."""
    facts = CallFailure(Command.MAP_CREATE.name, errno, errno_name(errno), errno_meaning(errno), dict(values))
    size = f"key {shape.key_size} bytes, value {shape.value_size} bytes, max_entries {shape.max_entries}"
    given = f"{size}, flags {flag_names(shape.flags)}"
    text = f"The {shape.label} could not be created ({facts.name}: {facts.meaning}). Given: {given}."
    if errno in {Errno.EPERM, Errno.EACCES}:
        return NotPermittedError(text, facts, capability_advice(Command.MAP_CREATE))
    if errno in {Errno.ENOMEM, Errno.E2BIG}:
        return OutOfMemoryError(text, facts, "Take fewer entries or smaller values.")
    if errno in {Errno.EINVAL, Errno.ENOTSUPP, Errno.EOPNOTSUPP}:
        return MapNotSupportedError(
            text,
            facts,
            "This kernel does not have the type, or not with these sizes or flags; bpflab.probe says what it has.",
        )
    return SyscallError(text, facts)


class MapNotSupportedError(SyscallError, NotSupportedError):
    """The arguments keep the type's rules, and the kernel refused them: it is older than the type or a flag."""
