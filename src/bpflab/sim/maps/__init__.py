"""The maps of the simulated kernel, a module per family.

A module lists its classes in `TYPES`, by map type; `find_map_types` finds every module of this package.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.abi.map_types import MapType
    from bpflab.sim.maps.base import SimMap


@cache
def find_map_types() -> dict[MapType, type[SimMap]]:
    """Return the class of every map type that a module of this package implements."""
    found: dict[MapType, type[SimMap]] = {}
    for module in pkgutil.iter_modules(__path__):
        found.update(getattr(importlib.import_module(f"{__name__}.{module.name}"), "TYPES", {}))
    return found
