"""SOCK_OPS programs: what happens to a TCP connection in, a reply out (net/core/filter.c, include/net/tcp.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType
from bpflab.abi.tcp_events import FLAGS_AT, LOCKED_FIELDS, SockOp
from bpflab.sim.check import Kind
from bpflab.sim.context_socket import describe, stand_in
from bpflab.sim.hooks.fields import FieldsHook
from bpflab.sim.tcp_event import Segment, is_locked

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.memory import Scope
    from bpflab.sim.test_run import Environment, RunInput

POINTERS: Final = {
    "sk": (Kind.SOCKET, True),
    "skb_data": (Kind.PACKET, False),
    "skb_data_end": (Kind.PACKET_END, False),
}


class SockOpsHook(FieldsHook):
    """An event of a connection, with its segment beside the context."""

    takes_data = True

    def prepare(self, env: Environment, scope: Scope, context: FieldContext, given: RunInput) -> None:
        """Fill what the socket tells, hide what the program may not see, and lay out the segment."""
        super().prepare(env, scope, context, given)
        full = bool(context["is_fullsock"])
        if full or context["sk"]:
            stand_in(env, scope, context)
            describe(context)
        if not full:
            context["sk"] = 0
        if not (full and is_locked(context)):
            for name in LOCKED_FIELDS:
                context.clear(name)
        for name in ("skb_data", "skb_data_end"):
            context.clear(name)
        if given.data:
            self._lay_out(scope, context, given.data)

    def _lay_out(self, scope: Scope, context: FieldContext, data: bytes) -> None:
        segment = Segment(scope, data, context["op"], context["remaining_opt_len"])
        context.about = segment
        context["skb_data"] = segment.region.address
        context["skb_data_end"] = segment.region.address + segment.end
        context["skb_len"] = context["skb_len"] or len(segment.buffer) + len(segment.behind) * segment.writes
        context["skb_tcp_flags"] = (
            data[FLAGS_AT] if context["op"] != SockOp.HDR_OPT_LEN_CB else context["skb_tcp_flags"]
        )

    def finish(self, env: Environment, context: FieldContext, retval: int) -> int:
        """Forget a hash that was written to a socket that is not there."""
        del env
        if not (context["is_fullsock"] and is_locked(context)):
            context.clear("sk_txhash")
        return retval

    def data_out(self, context: FieldContext) -> bytes | None:
        """Return the segment, with the options that were written."""
        return context.about.content() if isinstance(context.about, Segment) else None


HOOK: Final = SockOpsHook(ProgType.SOCK_OPS, "bpf_sock_ops", pointers=POINTERS)
