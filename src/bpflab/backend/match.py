"""Which calls a script or a fault is about: by name, by field, by a function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bpflab.backend.call_names import check_fields, wanted_calls
from bpflab.backend.calls import WHOLE_NUMBER, shown
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from bpflab.backend.calls import Call

Where = Callable[["Call"], object]


class Match:
    """Calls of some names whose fields are as given.

    A field is given as its value (bytes for a buffer, or an integer where it has at most 8 bytes), or as a function
    of the value. `where` is a function of the whole call. ArgumentError for a name or field that does not exist.
    """

    def __init__(self, command: object, fields: Mapping[str, object], where: Where | None = None) -> None:
        self.commands = wanted_calls(command)
        check_fields(self.commands, fields)
        if where is not None and not callable(where):
            raise ArgumentError(f"where is {where!r}; expected a function of the call.")
        self.fields = dict(fields)
        self.where = where
        self._named = getattr(command, "name", command)

    @property
    def by_name_alone(self) -> bool:
        """Whether every call of these names fits, so that none need be decoded."""
        return not self.fields and self.where is None

    def fits(self, call: Call) -> bool:
        """Whether a call is one of these."""
        if call.command not in self.commands:
            return False
        same = all(_same(expected, call.get(name)) for name, expected in self.fields.items())
        return same and (self.where is None or bool(self.where(call)))

    def __str__(self) -> str:
        given = [f"{name}={_said(value)}" for name, value in self.fields.items()]
        given += [f"where={_said(self.where)}"] if self.where else []
        return f"{self._named}({', '.join(given)})" if given else str(self._named)


def _same(expected: object, actual: object) -> bool:
    if callable(expected):
        return bool(expected(actual))
    if isinstance(expected, int) and isinstance(actual, bytes):
        return len(actual) <= WHOLE_NUMBER and expected == int.from_bytes(actual, sys.byteorder, signed=expected < 0)
    return bool(expected == actual)


def _said(value: object) -> str:
    return getattr(value, "__name__", repr(value)) if callable(value) else shown(value)
