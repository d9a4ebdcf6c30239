"""The records of tracepoints by BTF: `struct trace_event_raw_<event>` (include/trace/stages/stage3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.record import RecordField, RecordLayout
from bpflab.arguments import near_names
from bpflab.errors import ArgumentError
from bpflab.obj.btf_layout import fields, resolved, size_of
from bpflab.obj.btf_types import Array, Int

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.obj.btf_layout import Field

PREFIX: Final = "trace_event_raw_"
DYNAMIC: Final = "__data_loc_"


def record_layout(btf: Btf, event: str) -> RecordLayout:
    """Return the layout of an event's record; ArgumentError with near names when there is no such struct."""
    name = event if event.startswith(PREFIX) else PREFIX + event
    found = btf.find(name, BtfKind.STRUCT)
    if found is None:
        names = (btf.name(each) for each in btf)
        known = [each.removeprefix(PREFIX) for each in names if each.startswith(PREFIX)]
        raise ArgumentError(
            f"The kernel's types have no struct {name}{near_names(event, known)} Events of one class share its struct: "
            "sched_wakeup is sched_wakeup_template."
        )
    members = [each for each in fields(btf, found) if each.name not in {"ent", "__data"}]
    return RecordLayout(event, tuple(_record_field(btf, each) for each in members))


def _record_field(btf: Btf, found: Field) -> RecordField:
    kind = resolved(btf, found.type_id)
    if found.name.startswith(DYNAMIC):
        return RecordField(found.name.removeprefix(DYNAMIC), found.offset, 4, dynamic=True)
    if isinstance(kind, Array):
        return RecordField(found.name, found.offset, size_of(btf, kind.type_id), kind.length)
    signed = isinstance(kind, Int) and kind.signed
    return RecordField(found.name, found.offset, found.bit_size // 8, signed=signed)
