"""Creating maps from the arguments of `lab.map()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.abi.flags import MapFlag
from bpflab.abi.map_rules import RULES
from bpflab.abi.map_types import MapType
from bpflab.errors import ArgumentError, BpfError
from bpflab.maps.adopt import adopt
from bpflab.maps.btf_fd import btf_of, loaded_btf
from bpflab.maps.check import check_shape, map_type
from bpflab.maps.choice import Surroundings
from bpflab.maps.creation import Creation
from bpflab.maps.kernel_fields import create_typed, kernel_fields
from bpflab.maps.registry import class_of
from bpflab.maps.shape import MapShape
from bpflab.maps.template import template_of

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.lab import Lab
    from bpflab.maps.base import Map


def create_map(
    lab: Lab,
    type: MapType | str,  # noqa: A002 - the field's own word for it, used by keyword
    *,
    key: object = None,
    value: object = None,
    max_entries: int | None = None,
    flags: MapFlag | int = 0,
    name: str = "",
    pin: str | Path | None = None,
    numa_node: int | None = None,
    inner: object = None,
    btf: object = None,
    map_extra: int = 0,
) -> Map[Any, Any]:
    """Create a map of a type (a MapType, or its name in any case) in a Lab, which owns it.

    `key` and `value` say their types, see `bpflab.maps.codecs.make_codec`; types of map that have no keys, or
    whose keys can be but indices, take no `key`. `max_entries` may be left out where the type has but one choice, and
    for a PERF_EVENT_ARRAY (one for each possible CPU). `flags` are MapFlag; those that the type cannot be
    without are added. `pin` is a path, relative to the Lab's `pin_root`. `inner` is the template of a map of
    maps: a Map, or a mapping of arguments such as these. `btf` is a Btf or its bytes, in which names of types
    are looked up and which the kernel is told of. `map_extra` is the number of hash functions of a BLOOM_FILTER, and
    the address of an ARENA.

    ArgumentError says what was given and what is allowed. NotSupportedError: this kernel does not have the
    type. OutOfMemoryError, NotPermittedError, or SyscallError for what else the kernel refuses.
    """
    kind = map_type(type)
    types = btf_of(btf)
    around, family = Surroundings.of(lab, types), class_of(kind)
    asked = _flags(kind, flags, numa_node)
    key_codec = family.key_codec(kind, key, around)
    element = family.value_codec(kind, value, around, asked)
    shape = MapShape(
        type=kind,
        name=name,
        key_size=key_codec.size,
        value_size=element.size,
        max_entries=_entries(kind, around, max_entries),
        flags=asked,
        key=key_codec,
        value=around.per_cpu(element) if RULES[kind].per_cpu else element,
        map_extra=map_extra,
    )
    check_shape(shape)
    template = template_of(lab, kind, inner)
    with loaded_btf(lab, shape, types) as (btf_fd, key_id, value_id):
        inner_fd = template.fileno() if template else 0
        creation = Creation(numa_node or 0, inner_fd, btf_fd, key_id, value_id)
        descriptor = create_typed(lab, shape, creation, kernel_fields(types, value_id))
    made = adopt(lab, descriptor, shape, template, name=name)
    if pin is not None:
        _pin(made, pin)
    return made


def _pin(made: Map[Any, Any], path: str | Path) -> None:
    try:
        made.pin(path)
    except BpfError:
        made.close()
        raise


def _flags(kind: MapType, given: MapFlag | int, numa_node: int | None) -> MapFlag:
    if not isinstance(given, int):
        raise ArgumentError(f"flags is {given!r}; expected MapFlag members joined by |.")
    node = MapFlag(0) if numa_node is None else MapFlag.NUMA_NODE
    return MapFlag(given) | RULES[kind].needed | node


def _entries(kind: MapType, around: Surroundings, given: int | None) -> int:
    if given is not None:
        return given
    if RULES[kind].entries.only:
        return RULES[kind].entries.only[0]
    if kind is MapType.PERF_EVENT_ARRAY:
        return around.cpus
    raise ArgumentError(f"A {kind.name} map needs max_entries; allowed is {RULES[kind].entries}.")
