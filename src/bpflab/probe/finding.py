"""What a probe found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """How a probe ended."""

    YES = "yes"
    NO = "no"
    NOT_PERMITTED = "not permitted"
    """The process may not ask; with the privilege the answer could be yes."""
    UNKNOWN = "unknown"
    """It cannot be probed here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked for: its name, the answer, and what the backend said, in words (or empty)."""

    name: str
    answer: Answer
    detail: str = ""

    def __bool__(self) -> bool:
        return self.answer is Answer.YES
