"""A map's class around a descriptor, in the hands of a Lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from bpflab.maps.registry import class_of

if TYPE_CHECKING:
    from bpflab.backend.descriptor import Descriptor
    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.maps.shape import MapShape
    from bpflab.maps.template import Template


def adopt(
    lab: Lab, descriptor: Descriptor, shape: MapShape, template: Template | None = None, *, name: str = ""
) -> Map[Any, Any]:
    """Put a map's class around a descriptor, and give it to the Lab, which knows it by `name` if it has one."""
    kind = class_of(shape.type)
    made = kind(lab, descriptor, shape)
    if template is not None:
        made.keep_template(template)
    lab.own(made)
    typed = cast("Map[Any, Any]", made)
    if name:
        lab.maps[name] = typed
    return typed
