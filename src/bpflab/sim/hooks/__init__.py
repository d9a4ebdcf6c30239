"""What the simulated kernel knows of each program type, a module per type.

A module is named like the type in lower case (`xdp.py`) and has a `HOOK`, an object of the protocol
below. It is found by that name. Programs of a type without one can be loaded, attached and inspected;
their context is opaque and they cannot be run.
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bpflab.abi.prog_types import ProgType
    from bpflab.sim.check import CtxRule
    from bpflab.sim.programs import ProgSpec


class Hook(Protocol):
    """The load-time rules of a program type."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Return the rule for accesses to the context."""

    def helper_allowed(self, spec: ProgSpec, helper: int) -> bool:
        """Tell whether such a program may call a helper, by id."""

    def return_range(self, spec: ProgSpec) -> tuple[int, int] | None:
        """Return the least and greatest r0 that the hook takes; None for any."""

    def packet_writable(self, spec: ProgSpec) -> bool:
        """Tell whether such a program may write to the packet."""


class OpaqueHook:
    """The rules for a type without a module: no field of the context, any helper, any return value."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Return a rule that allows nothing."""
        del spec
        return lambda _offset, _size, _store: None

    def helper_allowed(self, spec: ProgSpec, helper: int) -> bool:
        """Allow all helpers."""
        del spec, helper
        return True

    def return_range(self, spec: ProgSpec) -> tuple[int, int] | None:
        """Take any value."""
        del spec
        return None

    def packet_writable(self, spec: ProgSpec) -> bool:
        """Allow no packet."""
        del spec
        return False


@cache
def find_hook(prog_type: ProgType) -> Hook:
    """Return the rules of a program type."""
    name = f"{__name__}.{prog_type.name.lower()}"
    if find_spec(name) is None:
        return OpaqueHook()
    hook: Hook = importlib.import_module(name).HOOK
    return hook
