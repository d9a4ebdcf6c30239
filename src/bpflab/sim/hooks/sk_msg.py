"""SK_MSG programs: a message that is sent through a socket of a SOCKMAP (net/core/filter.c, net/core/skmsg.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import SK
from bpflab.sim.check import Kind
from bpflab.sim.context_socket import describe, stand_in
from bpflab.sim.hooks.fields import FieldsHook
from bpflab.sim.sk_message import Message
from bpflab.sim.sk_redirect import note_redirect

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.memory import Scope
    from bpflab.sim.programs import ProgSpec
    from bpflab.sim.test_run import Environment, RunInput

POINTERS: Final = {
    "data": (Kind.PACKET, False),
    "data_end": (Kind.PACKET_END, False),
    "sk": (Kind.SOCKET, False),
}


class SkMsgHook(FieldsHook):
    """The message's bytes in and out beside the context."""

    takes_data = True
    needs_context = False

    def packet_writable(self, spec: ProgSpec) -> bool:
        """Allow writes to the message."""
        del spec
        return True

    def prepare(self, env: Environment, scope: Scope, context: FieldContext, given: RunInput) -> None:
        """Lay out the message, and the socket that it is sent through."""
        super().prepare(env, scope, context, given)
        stand_in(env, scope, context)
        describe(context)
        context.about = Message(scope, context, given.data)

    def finish(self, env: Environment, context: FieldContext, retval: int) -> int:
        """Note where the message goes if it passes."""
        note_redirect(env, message_of(context).content(), passed=retval == SK.PASS)
        return retval

    def data_out(self, context: FieldContext) -> bytes | None:
        """Return the message as it is sent."""
        return message_of(context).content()


def message_of(context: FieldContext) -> Message:
    """Return the message that a context is about."""
    assert isinstance(context.about, Message)
    return context.about


HOOK: Final = SkMsgHook(ProgType.SK_MSG, "sk_msg_md", returns=None, pointers=POINTERS)
