"""Verdicts as people read them: their names, their colours, and which of them end a packet's way."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

DROPPED: Final = frozenset({"ABORTED", "DROP", "SHOT", "DENY"})
STYLES: Final = {
    "PASS": "green",
    "OK": "green",
    "ALLOW": "green",
    "DROP": "red",
    "SHOT": "red",
    "DENY": "red",
    "ABORTED": "bold white on red",
    "TX": "cyan",
    "REDIRECT": "magenta",
}
"""Colours of the verdicts that people meet, in rich's words; others are bold."""


def verdict_name(action: IntEnum | int | None) -> str:
    """Return the name of a verdict, or the plain number of a program type without any."""
    return action.name if isinstance(action, IntEnum) else str(action)


def is_dropped(action: IntEnum | int | None) -> bool:
    """Whether the packet goes no further."""
    return verdict_name(action) in DROPPED
