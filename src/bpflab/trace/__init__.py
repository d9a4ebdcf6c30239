"""The way a run took through its program: source lines, branches and what decided them, helpers, map changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.trace.model import Branch, Entered, HelperCall, MapChange, MemoryChange, Trace, Visit

if TYPE_CHECKING:
    from bpflab.backend.base import Backend

__all__ = ["Branch", "Entered", "HelperCall", "MapChange", "MemoryChange", "Trace", "Visit", "traceable"]


def traceable(backend: str | Backend = "auto") -> Backend:
    """Return a backend for a Lab whose runs can be traced though it is not simulated: its calls are logged."""
    from bpflab.trace.run import traceable as opened

    return opened(backend)
