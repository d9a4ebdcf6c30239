"""The kernel functions (kfuncs) of the simulated kernel, a module per family.

A kfunc is a function named like it (`bpf_task_acquire`) in any module of this package, and takes
`(env, *arguments)`: integers in the width and sign of its prototype, pointers as addresses. A new one is found without
being listed; its flags stand in `abi/kfuncs.txt`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


@cache
def _modules() -> tuple[ModuleType, ...]:
    return tuple(importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))


def families() -> dict[str, list[str]]:
    """Return the names of all kernel functions by the module that they stand in."""
    found = {module.__name__.rpartition(".")[2]: _names(module) for module in _modules()}
    return {family: names for family, names in found.items() if names}


def _names(module: ModuleType) -> list[str]:
    own = (name for name, each in vars(module).items() if getattr(each, "__module__", "") == module.__name__)
    return [name for name in own if name.startswith("bpf_")]


@cache
def find_kfunc(name: str) -> Callable[..., int | None] | None:
    """Return the function of a kfunc by its full name; None when there is none yet."""
    for module in _modules():
        function: Callable[..., int | None] | None = getattr(module, name, None)
        if function is not None and getattr(function, "__module__", "") == module.__name__:
            return function
    return None
