"""Socket lookup programs: addresses in, a verdict out (net/core/filter.c, net/bpf/test_run.c).

What the program chose by sk_assign comes back as a cookie in the context, and as an event.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout
from bpflab.abi.errno import Errno
from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import SK
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.events import SocketChosen
from bpflab.sim.hooks.plain import PlainHook, check_numbers
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.socket_choice import Choice
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import ProgSpec, SimProgram

LOOKUP: Final = layout("bpf_sk_lookup")
COOKIE: Final = LOOKUP.field("cookie")
SHOWN: Final = slice(LOOKUP.field("family").offset, LOOKUP.field("ingress_ifindex").end)
"""What programs may read in any aligned way; only the socket before it is read whole."""
IPV4, IPV6 = 2, 10
FOREIGN: Final = {IPV4: ("remote_ip6", "local_ip6"), IPV6: ("remote_ip4", "local_ip4")}
"""The address fields that are zero to programs, by family."""
PORT_MAX: Final = 0xFFFF


class SkLookupHook(PlainHook):
    """The rules and the test run of socket lookups."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow aligned reads of up to four bytes, and one of the socket."""
        del spec

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            if store or offset % size:
                return None
            if offset == 0 and size == COOKIE.size:
                return CtxField(Kind.SOCKET, 0, size, nullable=True)
            inside = SHOWN.start <= offset < SHOWN.stop and size < COOKIE.size
            return CtxField(Kind.SCALAR, offset, size) if inside else None

        return rule

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run `repeat` times on the same addresses; the context comes back with the chosen socket's cookie, or 0."""
        check_numbers(given)
        refuse_if(given.data or given.wants_data or given.data_size_out)
        refuse_if(given.ctx is None and not given.wants_ctx)
        raw = given.ctx or b""
        refuse_if(any(raw[LOOKUP.size :]), Errno.E2BIG)
        lookup = bytearray(raw[: LOOKUP.size].ljust(LOOKUP.size, b"\0"))
        shown = _shown(lookup, "<" if kernel.memory.order == "little" else ">")
        retval = 0
        with kernel.memory.scope() as scope:
            context = scope.add(RegionKind.CONTEXT, shown, name="bpf_sk_lookup", writable=False)
            choice = _choice(shown, kernel.memory.order)
            env = Environment(kernel, program, context.address, choice)
            for _ in range(max(given.repeat, 1)):
                choice.socket = None
                retval = invoke(env, scope)
        chosen = choice.socket if retval == SK.PASS else None
        refuse_if(chosen is not None and chosen.reuseport and choice.whole_group, Errno.EOPNOTSUPP)
        if chosen is not None:
            kernel.world.record(SocketChosen(program.name, "sk_assign", chosen.cookie))
        lookup[: COOKIE.end] = (0 if chosen is None else chosen.cookie).to_bytes(COOKIE.size, kernel.memory.order)
        return RunOutput(retval, None, bytes(lookup) if given.wants_ctx else None)


HOOK: Final = SkLookupHook(ProgType.SK_LOOKUP, (0, 1))


def _choice(shown: bytearray, order: ByteOrder) -> Choice:
    family, protocol = (
        int.from_bytes(shown[field.offset : field.end], order)
        for field in (LOOKUP.field("family"), LOOKUP.field("protocol"))
    )
    return Choice(family, protocol)


def _shown(lookup: bytearray, order: str) -> bytearray:
    """Return what the program sees of the caller's structure, or refuse it as the kernel does."""
    shown = bytearray(lookup)

    def number(name: str) -> int:
        field = LOOKUP.field(name)
        value: int = struct.unpack_from(order + field.code, lookup, field.offset)[0]
        return value

    refuse_if(number("cookie") or any(lookup[LOOKUP.field("local_port").end :]))
    refuse_if(number("local_port") > PORT_MAX, Errno.ERANGE)
    for name in ("family", "protocol"):
        struct.pack_into(f"{order}I", shown, LOOKUP.field(name).offset, number(name) & 0xFFFF)
    family = number("family") & 0xFFFF
    refuse_if(family not in FOREIGN, Errno.EAFNOSUPPORT)
    for name in FOREIGN[family]:
        field = LOOKUP.field(name)
        shown[field.offset : field.end] = bytes(field.end - field.offset)
    port = LOOKUP.field("remote_port")
    shown[port.end : LOOKUP.field("local_ip4").offset] = bytes(LOOKUP.field("local_ip4").offset - port.end)
    return shown
