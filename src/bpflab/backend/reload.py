"""A refused program is loaded a second time for its log: one refusal, made in two calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from bpflab.backend.calls import Call

ReasonT = TypeVar("ReasonT")


class RefusedLoad(Generic[ReasonT]):
    """Remembers why the last program was refused, until another call comes."""

    def __init__(self) -> None:
        self._load: tuple[object, ...] | None = None
        self._reason: ReasonT | None = None

    def remember(self, call: Call, reason: ReasonT) -> None:
        """Note why a PROG_LOAD is refused; other calls are passed over."""
        if call.command == "PROG_LOAD":
            self._load, self._reason = _identity(call), reason

    def again(self, call: Call) -> ReasonT | None:
        """Return the reason when a call asks for the log of the program that was refused last; None otherwise."""
        if call.command != "PROG_LOAD" or self._load is None:
            return None
        repeated = call.get("log_level") and self._load == _identity(call)
        if not repeated:
            self._load = self._reason = None
        return self._reason


def _identity(call: Call) -> tuple[object, ...]:
    return tuple(call.get(name) for name in ("prog_type", "prog_name", "insns"))
