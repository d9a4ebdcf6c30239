"""SK_REUSEPORT programs: which socket of a group that shares a port gets a packet (net/core/filter.c).

The bytes given are the packet from its TCP or UDP header on. What was chosen is an event, SocketChosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout
from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import SK
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.context_socket import stand_in
from bpflab.sim.events import SocketChosen
from bpflab.sim.hooks.fields import FieldsHook
from bpflab.sim.memory import RegionKind
from bpflab.sim.sockets import Socket

if TYPE_CHECKING:
    from bpflab.sim.check import CtxRule
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.memory import Scope
    from bpflab.sim.programs import ProgSpec
    from bpflab.sim.test_run import Environment, RunInput

MD: Final = layout("sk_reuseport_md")
POINTERS: Final = {
    "data": (Kind.PACKET, False),
    "data_end": (Kind.PACKET_END, False),
    "sk": (Kind.SOCKET, False),
    "migrating_sk": (Kind.SOCK_COMMON, True),
}
NARROW: Final = {"len": 1, "eth_protocol": 2, "ip_protocol": 1, "bind_inany": 1}
"""Fields that may be read in part, and the fewest bytes of them."""
WORD: Final = 4


class SkReuseportHook(FieldsHook):
    """A packet and the group's socket in, a verdict and a choice out."""

    takes_data = True
    needs_context = False

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow reads as sk_reuseport_is_valid_access does."""

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            found = MD.at(offset) if not store and not offset % size else None
            if found is None:
                return None
            if found.name in POINTERS:
                kind, nullable = POINTERS[found.name]
                fits = size == found.size and offset == found.offset
                return CtxField(kind, offset, size, nullable=nullable) if fits else None
            if not NARROW.get(found.name, WORD) <= size <= WORD:
                return None
            if found.name == "eth_protocol" and spec.byteorder == "little":
                return CtxField(Kind.SCALAR, found.offset, size)
            return CtxField(Kind.SCALAR, offset, size)

        return rule

    def prepare(self, env: Environment, scope: Scope, context: FieldContext, given: RunInput) -> None:
        """Lay out the packet, and the socket of the group that was found first."""
        super().prepare(env, scope, context, given)
        stand_in(env, scope, context)
        region = scope.add(RegionKind.PACKET, bytearray(given.data), name="packet", owner=given.data, writable=False)
        context["data"], context["data_end"] = region.address, region.address + len(given.data)
        context["len"] = context["len"] or len(given.data)

    def finish(self, env: Environment, context: FieldContext, retval: int) -> int:
        """Note the socket that was chosen, if the packet passes."""
        if retval == SK.PASS and isinstance(context.about, Socket):
            region = env.kernel.memory.find(context["data"])
            packet = b"" if region is None else bytes(region.data)
            chosen = context.about.cookie
            env.kernel.world.record(SocketChosen(env.running.name, "sk_select_reuseport", chosen, packet))
        return retval


HOOK: Final = SkReuseportHook(ProgType.SK_REUSEPORT, "sk_reuseport_md", pointers=POINTERS)
