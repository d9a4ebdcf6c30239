"""The maps of an object: created in order, filled, and initialised with maps and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.abi.map_types import MapType
from bpflab.arguments import near_names
from bpflab.errors import MapTypeError, NoSuchNameError
from bpflab.maps.from_spec import map_from_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.backend.descriptor import Descriptor
    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.obj.spec import ObjectSpec
    from bpflab.programs.program import Program


def create_maps(
    lab: Lab, spec: ObjectSpec, btf: Descriptor | None, reused: Mapping[str, Map[Any, Any]]
) -> dict[str, Map[Any, Any]]:
    """Create every map of the object but those in `reused`; data maps are filled, and read-only ones frozen."""
    from bpflab.obj.btf import Btf

    for name, live in reused.items():
        _check_reused(spec, name, live)
    types = Btf(spec.btf) if spec.btf is not None else None
    made = {
        name: map_from_spec(lab, map_spec, types=types, btf_fd=btf.fileno() if btf else 0)
        for name, map_spec in spec.maps.items()
        if name not in reused
    }
    return {name: made[name] if name in made else reused[name] for name in spec.maps}


def _check_reused(spec: ObjectSpec, name: str, live: Map[Any, Any]) -> None:
    """Refuse a live map that the programs cannot use as theirs: of another type, or of other sizes."""
    if name not in spec.maps:
        raise NoSuchNameError(f"{spec.name} has no map {name!r}{near_names(name, spec.maps)}")
    wanted, shape = spec.maps[name], live.shape
    asked = {"type": wanted.type.name, "key_size": wanted.key_size, "value_size": wanted.value_size}
    given = {"type": shape.type.name, "key_size": shape.key_size, "value_size": shape.value_size}
    wrong = [f"{what} {given[what]} in the place of {asked[what]}" for what in asked if asked[what] != given[what]]
    if wrong:
        raise MapTypeError(f"Map {name!r} of {spec.name} cannot be {live!r}: it has {', '.join(wrong)}.")


def initialise_maps(spec: ObjectSpec, maps: Mapping[str, Map[Any, Any]], programs: Mapping[str, Program]) -> None:
    """Fill the slots that the source initialises with maps (maps of maps) and programs (program arrays).

    A program that was left out on purpose leaves its slot empty.
    """
    for name, map_spec in spec.maps.items():
        for index, symbol in map_spec.values.items():
            if map_spec.type is MapType.PROG_ARRAY:
                _set_program(spec, maps[name], index, symbol, programs)
            else:
                maps[name][index] = _named(spec, symbol, maps)


def _set_program(
    spec: ObjectSpec, target: Map[Any, Any], index: int, symbol: str, programs: Mapping[str, Program]
) -> None:
    if symbol in programs:
        target[index] = programs[symbol]
    elif symbol not in spec.programs:
        raise NoSuchNameError(f"{spec.name} has no program {symbol!r}{near_names(symbol, spec.programs)}")


def _named(spec: ObjectSpec, symbol: str, maps: Mapping[str, Map[Any, Any]]) -> Map[Any, Any]:
    if symbol not in maps:
        raise NoSuchNameError(f"{spec.name} has no map {symbol!r}{near_names(symbol, maps)}")
    return maps[symbol]
