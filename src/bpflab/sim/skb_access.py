"""Which fields of `struct __sk_buff` each type of program may read and write.

After the `*_is_valid_access` functions of net/core/filter.c: each type hides some fields and may write some.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.sim.skb_context import SK_BUFF, place

if TYPE_CHECKING:
    from bpflab.abi.context import ContextField
    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.check import CtxField, CtxRule

PACKET: Final = frozenset({"data", "data_end", "data_meta"})
SOCKET: Final = frozenset({"family", "remote_ip4", "local_ip4", "remote_ip6", "local_ip6", "remote_port", "local_port"})
FULL_WORDS: Final = PACKET | {"remote_ip4", "local_ip4", "remote_ip6", "local_ip6"}
"""Fields of 32 bits that cannot be read in part."""
DOUBLE_WORDS: Final = frozenset({"tstamp", "hwtstamp", "sk", "flow_keys"})


@dataclass(frozen=True, slots=True)
class Access:
    """What one type of program may do: fields it cannot see at all, and fields that it may write."""

    hidden: frozenset[str]
    writable: frozenset[str]

    def rule(self, order: ByteOrder) -> CtxRule:
        """Return the rule for the load-time check of programs of a byte order."""

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            field = SK_BUFF.at(offset) if 0 <= offset < SK_BUFF.size else None
            if field is None or offset % size or field.name in self.hidden:
                return None
            allowed = self._may_write(field, offset, size) if store else _may_read(field, offset, size)
            return place(field, offset, size, order, store=store) if allowed else None

        return rule

    def _may_write(self, field: ContextField, offset: int, size: int) -> bool:
        if field.name not in self.writable:
            return False
        if field.name == "cb":
            return offset + size <= field.end
        return size == field.size and offset == field.offset


def _may_read(field: ContextField, offset: int, size: int) -> bool:
    if field.name in DOUBLE_WORDS:
        return size == 8 and offset == field.offset
    if field.name in FULL_WORDS:
        return size == 4
    return offset + size <= field.end and (field.name == "cb" or size <= field.size)


SOCKET_FILTER: Final = Access(
    hidden=PACKET | SOCKET | {"tc_classid", "tstamp", "wire_len", "hwtstamp", "flow_keys", "tstamp_type"},
    writable=frozenset({"cb"}),
)
CGROUP_SKB: Final = Access(
    hidden=frozenset({"tc_classid", "data_meta", "wire_len", "flow_keys", "tstamp_type"}),
    writable=frozenset({"mark", "priority", "cb", "tstamp"}),
)
LWT: Final = Access(
    hidden=SOCKET | {"tc_classid", "data_meta", "tstamp", "wire_len", "hwtstamp", "flow_keys", "tstamp_type"},
    writable=frozenset({"mark", "priority", "cb"}),
)
TC: Final = Access(
    hidden=SOCKET | {"flow_keys"},
    writable=frozenset({"mark", "tc_index", "priority", "cb", "tc_classid", "tstamp", "queue_mapping"}),
)
SK_SKB: Final = Access(
    hidden=frozenset({"mark", "tc_classid", "data_meta", "tstamp", "wire_len", "hwtstamp", "flow_keys", "tstamp_type"}),
    writable=frozenset({"tc_index", "priority"}),
)
