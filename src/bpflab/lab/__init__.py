"""A Lab: one backend and everything opened in it."""

from __future__ import annotations

from bpflab.lab.lab import Lab
from bpflab.lab.owner import Closable

__all__ = ["Closable", "Lab"]
