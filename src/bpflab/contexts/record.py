"""The record that a tracepoint program gets, its fields by name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from bpflab.abi.record import RecordLayout, declared_layout, parse_format
from bpflab.contexts.raw import RawContext
from bpflab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.abi.layout import ByteOrder
    from bpflab.abi.record import RecordValue

TRACEFS: Final = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))


class Record(RawContext):
    """A tracepoint's record: values by field. Texts and bytes of `__data_loc` fields are laid out behind it.

    Make one with `of_format`, `of_event` or `of_fields`; `world.tracepoint` makes one from BTF. A record that came
    out of a run has no layout, only `data`.
    """

    def __init__(
        self, data: bytes = b"", layout: RecordLayout | None = None, values: Mapping[str, RecordValue] | None = None
    ) -> None:
        super().__init__(data)
        self.layout = layout
        self.values = dict(values or {})
        for name in self.values:
            if layout is not None:
                layout.field(name)

    @classmethod
    def of_format(cls, text: str, /, **values: RecordValue) -> Self:
        """Return a record of an event by its format description, as tracefs has it in `events/*/*/format`."""
        return cls(layout=parse_format(text), values=values)

    @classmethod
    def of_event(cls, category: str, event: str, /, **values: RecordValue) -> Self:
        """Return a record of an event of the running kernel: `of_event("sched", "sched_switch", next_pid=7)`.

        InputError where tracefs does not show the event.
        """
        for place in TRACEFS:
            path = place / "events" / category / event / "format"
            try:
                return cls.of_format(path.read_text("ascii"), **values)
            except OSError:
                continue
        raise InputError(
            f"tracefs shows no event {category}:{event} here. Give its fields: "
            "Record.of_fields({'pid': 'u32'}, pid=7), the text of its format, or world.tracepoint(...) by BTF."
        )

    @classmethod
    def of_fields(cls, types: Mapping[str, str], /, **values: RecordValue) -> Self:
        """Return a record of fields laid out in order: `of_fields({"pid": "u32", "comm": "char[16]"}, pid=7)`."""
        return cls(layout=declared_layout(types), values=values)

    def to_bytes(self, byteorder: ByteOrder = sys.byteorder) -> bytes:
        """Return the record's bytes."""
        return self.data if self.layout is None else self.layout.pack(self.values, byteorder)
