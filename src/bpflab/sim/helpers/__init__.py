"""The helpers of the simulated kernel, a module per family.

A helper is a function named like it (`map_lookup_elem`) in any module of this package, and takes
`(run, r1, r2, r3, r4, r5)` as the engine calls it. A new one is found without being listed.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from bpflab.sim.engine import HelperFunction


@cache
def _modules() -> tuple[ModuleType, ...]:
    return tuple(importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))


@cache
def find_helper(name: str) -> HelperFunction | None:
    """Return the function of a helper by its name without `bpf_`; None when there is none yet."""
    for module in _modules():
        function: HelperFunction | None = getattr(module, name, None)
        if function is not None and getattr(function, "__module__", "") == module.__name__:
            return function
    return None
