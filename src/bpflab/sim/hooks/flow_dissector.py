"""Flow dissector programs: a packet to read and flow keys to fill (net/core/flow_dissector.c, net/bpf/test_run.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout
from bpflab.abi.errno import Errno
from bpflab.abi.prog_types import ProgType
from bpflab.abi.run_rules import ETH_HLEN, RULES
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.hooks.plain import PlainHook, check_numbers
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.memory import Region
    from bpflab.sim.programs import ProgSpec, SimProgram

SK_BUFF: Final = layout("__sk_buff")
KEYS: Final = layout("bpf_flow_keys")
ETHERTYPE: Final = slice(12, 14)
PLACES: Final = {
    "data": (4, CtxField(Kind.PACKET, 0, 8)),
    "data_end": (4, CtxField(Kind.PACKET_END, 8, 8)),
    "flow_keys": (8, CtxField(Kind.FLOW_KEYS, 16, 8)),
}
"""The fields of `struct __sk_buff` that there are: the size of a read, and where the simulated context has them."""


class FlowDissectorHook(PlainHook):
    """The rules and the test run of flow dissectors."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow reads of the three pointers."""
        del spec

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            field = SK_BUFF.at(offset) if 0 <= offset < SK_BUFF.size else None
            if store or field is None or field.name not in PLACES or offset != field.offset:
                return None
            width, place = PLACES[field.name]
            return place if size == width else None

        return rule

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Dissect the packet `repeat` times, each time into new flow keys, which are what comes out."""
        check_numbers(given)
        size = len(given.data)
        refuse_if(not ETH_HLEN <= size <= RULES[ProgType.FLOW_DISSECTOR].max_data)
        flags = _given_flags(given)
        order: Final = "<" if kernel.memory.order == "little" else ">"
        with kernel.memory.scope() as scope:
            packet = scope.add(RegionKind.PACKET, bytearray(given.data), writable=False)
            keys = scope.add(RegionKind.BUFFER, bytearray(KEYS.size), name="flow_keys")
            pointers = struct.pack(f"{order}3Q", packet.start, packet.end, keys.start)
            context = scope.add(RegionKind.CONTEXT, bytearray(pointers), name="__sk_buff", writable=False)
            env = Environment(kernel, program, context.address)
            retval = 0
            for _ in range(max(given.repeat, 1)):
                _begin(keys, order, given.data[ETHERTYPE], flags)
                retval = invoke(env, scope)
                _clamp(keys, order, size)
            return RunOutput(retval, bytes(keys.data), _context_out(given))


HOOK: Final = FlowDissectorHook(ProgType.FLOW_DISSECTOR)


def _given_flags(given: RunInput) -> bytes:
    """Return the flags of the keys that came in; no other field may be set."""
    raw = given.ctx or b""
    refuse_if(any(raw[KEYS.size :]), Errno.E2BIG)
    keys, field = bytearray(raw[: KEYS.size].ljust(KEYS.size, b"\0")), KEYS.field("flags")
    flags = bytes(keys[field.offset : field.end])
    keys[field.offset : field.end] = bytes(field.size)
    refuse_if(any(keys))
    return flags


def _context_out(given: RunInput) -> bytes | None:
    return (given.ctx or b"")[: KEYS.size].ljust(KEYS.size, b"\0") if given.wants_ctx else None


def _begin(keys: Region, order: str, ethertype: bytes, flags: bytes) -> None:
    keys.data[:] = bytes(KEYS.size)
    for name, value in (("n_proto", ethertype), ("flags", flags)):
        field = KEYS.field(name)
        keys.data[field.offset : field.end] = value
    struct.pack_into(f"{order}2H", keys.data, KEYS.field("nhoff").offset, ETH_HLEN, ETH_HLEN)


def _clamp(keys: Region, order: str, size: int) -> None:
    """Keep the offsets within the packet, as bpf_flow_dissect does after each run."""
    network, transport = struct.unpack_from(f"{order}2H", keys.data, KEYS.field("nhoff").offset)
    network = min(max(network, ETH_HLEN), size)
    transport = min(max(transport, network), size)
    struct.pack_into(f"{order}2H", keys.data, KEYS.field("nhoff").offset, network, transport)
