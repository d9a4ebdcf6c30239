"""The commands of bpf(2), a module per group.

A command is a function named like it in lower case (`map_lookup_elem`), in any module of this package:
`(kernel, request) -> int`, which answers, or raises `Refusal`. A new one is found without being listed.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from bpflab.abi.commands import Command

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request


@cache
def find_commands() -> dict[Command, Callable[[SimKernel, Request], int]]:
    """Return every command that a module of this package answers."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {
        command: getattr(module, command.name.lower())
        for command in Command
        for module in modules
        if hasattr(module, command.name.lower())
    }
