"""The inner template of a map of maps: what every map that is put into it must be like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bpflab.abi.map_rules import RULES
from bpflab.errors import ArgumentError
from bpflab.maps.handle import MapHandle

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.abi.map_types import MapType
    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.maps.shape import MapShape


@dataclass(frozen=True, slots=True)
class Template:
    """A map that the kernel compares inner maps with, and how to make more of its kind."""

    map: MapHandle[Any, Any]
    make: Callable[..., Map[Any, Any]] | None = field(default=None)

    def fileno(self) -> int:
        """Return the template map's descriptor."""
        return self.map.fileno()

    @property
    def shape(self) -> MapShape:
        """The template's type, sizes and codecs."""
        return self.map.shape


def template_of(lab: Lab, outer: MapType, given: object) -> Template | None:
    """Return the template that inner= gives for a map of maps: a Map, or the arguments to create one by.

    ArgumentError where a map of maps is given none, or another type is given one.
    """
    if not RULES[outer].inner:
        if given is not None:
            raise ArgumentError(f"inner is {given!r}, and {outer.name} maps hold no maps; leave it out.")
        return None
    if isinstance(given, MapHandle):
        return Template(given)
    if isinstance(given, Mapping):
        return _made(lab, dict(given))
    raise ArgumentError(
        f"inner of the {outer.name} map is {given!r}; expected a map like those it shall hold, or the arguments to "
        "create one by, such as {'type': 'hash', 'key': 'u32', 'value': 'u64', 'max_entries': 8}."
    )


def _made(lab: Lab, arguments: dict[str, Any]) -> Template:
    def make(**changes: object) -> Map[Any, Any]:
        return lab.map(**{**arguments, **changes})

    if "type" not in arguments:
        raise ArgumentError(f"inner is {arguments!r}, which lacks 'type'; give the arguments of lab.map().")
    return Template(make(name=""), make)
