"""Creating the maps that an object file defines."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_rules import RULES
from bpflab.abi.map_types import MapType
from bpflab.backend.descriptor import Descriptor
from bpflab.errors import NotPermittedError, OutOfMemoryError, SyscallError
from bpflab.handles import pinning
from bpflab.maps.adopt import adopt
from bpflab.maps.check import check_shape, map_type
from bpflab.maps.choice import Surroundings
from bpflab.maps.creation import Creation, send_create
from bpflab.maps.kernel_fields import create_typed, kernel_fields
from bpflab.maps.memory import Arena
from bpflab.maps.opened import opened
from bpflab.maps.registry import class_of
from bpflab.maps.shape import MapShape
from bpflab.maps.template import Template
from bpflab.obj.spec import Pinning

if TYPE_CHECKING:
    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.obj.btf import Btf
    from bpflab.obj.spec import MapSpec


def map_from_spec(lab: Lab, spec: MapSpec, *, types: Btf | None = None, btf_fd: int = 0) -> Map[Any, Any]:
    """Create the map that an object's spec describes, in a Lab, which owns it.

    `types` is the object's BTF, by which keys and values are read, and `btf_fd` a descriptor of it as loaded, or
    0. A data map gets its content and is frozen if the spec says so. A map that is pinned by name is opened from
    the Lab's `pin_root` where it is there already, with the same type and sizes, and else created and pinned there.

    ArgumentError, MapError or SyscallError as of `lab.map()`; PinError when another kind of map is pinned by its name.
    """
    shape = spec_shape(lab, spec, types)
    if spec.pinning is Pinning.BY_NAME:
        found = _pinned(lab, shape, spec)
        if found is not None:
            return found
    check_shape(shape)
    template = Template(map_from_spec(lab, spec.inner, types=types, btf_fd=btf_fd)) if spec.inner else None
    made = adopt(lab, _created(lab, shape, _creation(spec, template, btf_fd), types), shape, template, name=spec.name)
    _fill(made, spec)
    if spec.pinning is Pinning.BY_NAME:
        made.pin(spec.name)
    return made


def spec_shape(lab: Lab, spec: MapSpec, types: Btf | None) -> MapShape:
    """Work out a spec's shape: sizes as they stand, codecs by its BTF types."""
    kind = map_type(spec.type)
    around, family = Surroundings.of(lab, types), class_of(kind)
    rule = RULES[kind]
    flags = MapFlag(spec.flags)
    key = family.key_codec(
        kind, family.key_hint(spec.key_size, around.typed(spec.btf_key_type_id, spec.key_size)), around
    )
    hint = family.value_hint(spec.value_size, around.typed(spec.btf_value_type_id, spec.value_size))
    value = family.value_codec(kind, hint, around, flags)
    return MapShape(
        type=kind,
        name=spec.kernel_name,
        key_size=spec.key_size,
        value_size=spec.value_size,
        max_entries=_entries(kind, spec.max_entries, around.cpus),
        flags=flags,
        key=key,
        value=around.per_cpu(value) if rule.per_cpu else value,
        map_extra=spec.map_extra,
    )


def _entries(kind: MapType, given: int, cpus: int) -> int:
    """Change a size as libbpf does: ring buffers to whole pages, a power of two of them; perf buffers to the CPUs."""
    if kind is MapType.PERF_EVENT_ARRAY:
        return given or cpus
    if kind not in {MapType.RINGBUF, MapType.USER_RINGBUF} or not given:
        return given
    pages = -(-given // mmap.PAGESIZE)
    return mmap.PAGESIZE << (pages - 1).bit_length()


def _creation(spec: MapSpec, template: Template | None, btf_fd: int) -> Creation:
    key_id, value_id = spec.create_type_ids if btf_fd else (0, 0)
    inner_fd = template.fileno() if template else 0
    return Creation(spec.numa_node, inner_fd, btf_fd if key_id or value_id else 0, key_id, value_id)


def _created(lab: Lab, shape: MapShape, creation: Creation, types: Btf | None) -> Descriptor:
    if not creation.btf_fd:
        return send_create(lab, shape, creation)
    fields = kernel_fields(types, creation.value_type_id)
    try:
        return create_typed(lab, shape, creation, fields)
    except (NotPermittedError, OutOfMemoryError):
        raise
    except SyscallError:
        # An older kernel may not take BTF for this type: try without; if that fails too, the first error tells more.
        # Without BTF, no program could use the fields of the values that belong to the kernel.
        if fields:
            raise
        try:
            return send_create(lab, shape, Creation(creation.numa_node, creation.inner_fd))
        except SyscallError:
            pass
        raise


def _fill(made: Map[Any, Any], spec: MapSpec) -> None:
    if isinstance(made, Arena):
        # A program that names a variable in it can be loaded when user space has it in memory alone.
        made.memory()[: len(spec.arena)] = bytes(spec.arena)
    if spec.data is not None:
        first = bytes(spec.key_size)
        made.lab.call(Command.MAP_UPDATE_ELEM, map_fd=made.fileno(), key=first, value=bytes(spec.data))
    if spec.frozen:
        made.freeze()


def _pinned(lab: Lab, shape: MapShape, spec: MapSpec) -> Map[Any, Any] | None:
    path = pinning.pin_path(lab, spec.name)
    fd = pinning.open_pin_if_there(lab, path)
    if fd is None:
        return None
    return opened(lab, Descriptor(lab.backend, fd, f"The {shape.label}"), shape, path=path, name=spec.name)
