"""Opening maps that exist already: by path, by number, by descriptor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_rules import RULES
from bpflab.arguments import check_integer
from bpflab.backend.descriptor import Descriptor
from bpflab.errors import ArgumentError, BpfError, NotPermittedError, NotSupportedError, PinError, SyscallError
from bpflab.handles import pinning
from bpflab.maps.adopt import adopt
from bpflab.maps.btf_fd import btf_of
from bpflab.maps.check import map_type
from bpflab.maps.choice import Surroundings
from bpflab.maps.information import MapInfo, map_info
from bpflab.maps.kernel_types import types_of
from bpflab.maps.registry import class_of
from bpflab.maps.shape import MapShape

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.abi.map_types import MapType
    from bpflab.lab import Lab
    from bpflab.maps.base import Map


def open_map(
    lab: Lab,
    *,
    path: str | Path | None = None,
    id: int | None = None,  # noqa: A002 - the field's own word for it, used by keyword
    fd: int | None = None,
    type: MapType | str | None = None,  # noqa: A002 - as above
    key: object = None,
    value: object = None,
    max_entries: int | None = None,
    btf: object = None,
    name: str | None = None,
) -> Map[Any, Any]:
    """Open the map that is pinned at a path, or has a number or a descriptor, and give it to the Lab.

    Exactly one of `path` (relative ones lie below the Lab's `pin_root`), `id` and `fd` is given; a given descriptor
    stays its owner's, the Lab gets a second one. `type`, `max_entries` and the sizes of `key` and `value` are held
    against the map, where given; codecs that are not given follow its BTF, and else its sizes. The Lab knows it by
    `name`, by default its name in the kernel.

    PinError: nothing is pinned there, or something else. ArgumentError: the map is not as asked for. SyscallError
    (ENOENT) when no map has the number.
    """
    whole = None if path is None else pinning.pin_path(lab, path)
    descriptor = _descriptor(lab, whole, id, fd)
    try:
        info = _info(lab, descriptor, whole)
        shape = shape_of(lab, info, key, value, btf)
        wanted = {"type": None if type is None else map_type(type), "max_entries": max_entries}
        _check(info, {what: each for what, each in wanted.items() if each is not None}, whole)
    except BpfError:
        descriptor.close()
        raise
    made = adopt(lab, descriptor, shape, name=info.name if name is None else name)
    if whole is not None:
        made.remember_pin(whole)
    return made


def opened(lab: Lab, descriptor: Descriptor, shape: MapShape, *, path: str, name: str) -> Map[Any, Any]:
    """Adopt a map that was opened from a path, if it is of the given shape; PinError if not."""
    try:
        info = _info(lab, descriptor, path)
        wanted = {"type": shape.type, "key_size": shape.key_size, "value_size": shape.value_size}
        _check(info, {**wanted, "max_entries": shape.max_entries, "flags": shape.flags}, path)
    except BpfError:
        descriptor.close()
        raise
    made = adopt(lab, descriptor, shape, name=name)
    made.remember_pin(path)
    return made


def shape_of(lab: Lab, info: MapInfo, key: object = None, value: object = None, btf: object = None) -> MapShape:
    """Work out the shape of a map that exists: as the kernel says, with the codecs asked for or suggested."""
    if info.type not in RULES:
        raise NotSupportedError(f"The map is a {info.type.name}, a type that this library does not open.")
    types = btf_of(btf) or types_of(lab, info.btf_id)
    around, family = Surroundings.of(lab, types), class_of(info.type)
    if key is None:
        key = family.key_hint(info.key_size, around.typed(info.btf_key_type_id, info.key_size))
    if value is None:
        value = family.value_hint(info.value_size, around.typed(info.btf_value_type_id, info.value_size))
    key_codec = family.key_codec(info.type, key, around)
    element = family.value_codec(info.type, value, around, info.flags)
    shape = MapShape(info.type, info.name, key_codec.size, element.size, info.max_entries, info.flags)
    per_cpu = RULES[info.type].per_cpu
    shape = replace(
        shape, key=key_codec, value=around.per_cpu(element) if per_cpu else element, map_extra=info.map_extra
    )
    _check(info, {"key_size": key_codec.size, "value_size": element.size}, None)
    return shape


def _descriptor(lab: Lab, path: str | None, number: int | None, fd: int | None) -> Descriptor:
    if sum(given is not None for given in (path, number, fd)) != 1:
        raise ArgumentError(
            f"Exactly one of path, id and fd is needed; given: path={path!r}, id={number!r}, fd={fd!r}."
        )
    if path is not None:
        return Descriptor(lab.backend, pinning.open_pin(lab, path), f"The map of {path}")
    if number is not None:
        check_integer("id", number, 0, 0xFFFFFFFF)
        answer = lab.call(Command.MAP_GET_FD_BY_ID, map_id=number, advice="No map has this id any more, or ever had.")
        return Descriptor(lab.backend, answer.result, f"The map of id {number}")
    check_integer("fd", fd, 0, 0x7FFFFFFF)
    try:
        return Descriptor(lab.backend, lab.backend.dup(fd or 0), f"The map of descriptor {fd}")
    except OSError as error:
        raise ArgumentError(f"fd {fd} is not open: {error.strerror}.") from error


def _info(lab: Lab, descriptor: Descriptor, path: str | None) -> MapInfo:
    try:
        info = map_info(lab.call, descriptor.fileno())
        if _is_map(lab, info):
            return info
        reason: Exception | None = None
    except (KeyError, ValueError, SyscallError) as error:
        reason = error
    where = f"What is pinned at {path}" if path else descriptor.what
    raise (PinError if path else ArgumentError)(f"{where} is no map.") from reason


def _is_map(lab: Lab, info: MapInfo) -> bool:
    """Ask for the map of that number: a program, link or BTF is described by other fields in the same bytes."""
    try:
        fd = lab.call(Command.MAP_GET_FD_BY_ID, map_id=info.id).result
    except NotPermittedError:
        return True
    try:
        return map_info(lab.call, fd) == info
    finally:
        lab.backend.close(fd)


def _check(info: MapInfo, wanted: dict[str, object], path: str | None) -> None:
    for what, expected in wanted.items():
        found = getattr(info, what)
        if found != expected:
            where = f"pinned at {path}" if path else f"of id {info.id}"
            raise (PinError if path else ArgumentError)(
                f"The map {where} ({info.type.name} {info.name!r}) has {what} {_shown(found)}; "
                f"{_shown(expected)} was expected."
            )


def _shown(value: object) -> str:
    return value.name or "none" if isinstance(value, MapFlag) else str(getattr(value, "name", value))
