"""The way a run took through its program: source lines, branches and what decided them, helpers, map changes."""

from __future__ import annotations

from bpflab.trace.model import Branch, Entered, HelperCall, MapChange, MemoryChange, Trace, Visit

__all__ = ["Branch", "Entered", "HelperCall", "MapChange", "MemoryChange", "Trace", "Visit"]
