"""Numbers of objects in the info of two backends, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.attr_memory import INFO_TEXT, ObjectKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.backend.journal_entry import Reply


def object_ids(kind: ObjectKind, recorded: Reply, played: Reply) -> Iterator[tuple[tuple[ObjectKind, int], int]]:
    """Yield the object's kind and recorded number with its number on the backend it was played on."""
    layout, _ = INFO_TEXT[kind]
    field = layout.field("id")
    old, new = recorded.outputs.get("info", b""), played.outputs.get("info", b"")
    if min(len(old), len(new)) >= field.offset + field.size:
        yield (kind, layout.get(old, "id")), layout.get(new, "id")
