"""The way a run took through its program: source lines, branches and what decided them, helpers, map changes.

Names are imported when they are first used: a log of calls, which is kept of every test, needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.backend.base import Backend
    from bpflab.trace.model import Branch, Entered, HelperCall, MapChange, MemoryChange, Trace, Visit

__all__ = ["Branch", "Entered", "HelperCall", "MapChange", "MemoryChange", "Trace", "Visit", "traceable"]


def traceable(backend: str | Backend = "auto") -> Backend:
    """Return a backend for a Lab whose runs can be traced though it is not simulated: its calls are logged."""
    from bpflab.trace.run import traceable as opened

    return opened(backend)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'bpflab.trace' has no attribute {name!r}")
    from bpflab.trace import model

    value: object = getattr(model, name)
    return value
