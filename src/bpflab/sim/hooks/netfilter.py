"""Netfilter programs: the hook's state and a packet that only kernel functions reach (net/netfilter/nf_bpf_link.c).

Both are kernel objects by their BTF types. The state's layout is known; nothing of `struct sk_buff` is.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout
from bpflab.abi.errno import Errno
from bpflab.abi.ethernet import EtherType
from bpflab.abi.prog_types import ProgType
from bpflab.abi.run_rules import ETH_HLEN, IPV4_HLEN, IPV6_HLEN, SKB_MAX_DATA
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.hooks.plain import PlainHook, check_numbers
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import ProgSpec, SimProgram

CONTEXT: Final = layout("bpf_nf_ctx")
STATE: Final = layout("nf_hook_state")
LOCAL_OUT: Final = 3
"""The hook of packets without an Ethernet header, and the one of a run without context (linux/netfilter.h)."""
IPV4, IPV6 = 2, 10
HEADERS: Final = {EtherType.IP: (IPV4, IPV4_HLEN), EtherType.IPV6: (IPV6, IPV6_HLEN)}
"""By EtherType: the protocol family of the state, and the least length of the header."""


class NetfilterHook(PlainHook):
    """The rules and the test run of netfilter programs."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow reads of both pointers."""
        del spec

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            field = CONTEXT.at(offset) if 0 <= offset < CONTEXT.size else None
            if store or field is None or (offset, size) != (field.offset, field.size):
                return None
            return CtxField(Kind.TRUSTED_BTF, offset, size)

        return rule

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run `repeat` times; nothing but the verdict comes out."""
        check_numbers(given)
        refuse_if(not IPV4_HLEN <= len(given.data) <= SKB_MAX_DATA)
        hook, family = _given_state(given)
        if hook != LOCAL_OUT:
            _check_packet(given.data, family)
        order = "<" if kernel.memory.order == "little" else ">"
        retval = 0
        with kernel.memory.scope() as scope:
            raw = bytes([hook, family]).ljust(STATE.size, b"\0")
            state = scope.add(RegionKind.KERNEL_OBJECT, bytearray(raw), name="nf_hook_state", writable=False)
            packet = scope.add(RegionKind.KERNEL_OBJECT, bytearray(), name="sk_buff", writable=False)
            pointers = struct.pack(f"{order}2Q", state.address, packet.address)
            context = scope.add(RegionKind.CONTEXT, bytearray(pointers), name="bpf_nf_ctx", writable=False)
            env = Environment(kernel, program, context.address)
            for _ in range(max(given.repeat, 1)):
                retval = invoke(env, scope)
        return RunOutput(retval, b"")


HOOK: Final = NetfilterHook(ProgType.NETFILTER, (0, 1))


def _given_state(given: RunInput) -> tuple[int, int]:
    """Return hook and family of the state that came in; IPv4 at LOCAL_OUT without one."""
    if given.ctx is None and not given.wants_ctx:
        return LOCAL_OUT, IPV4
    raw = given.ctx or b""
    refuse_if(any(raw[STATE.size :]), Errno.E2BIG)
    state = raw[: STATE.size].ljust(STATE.size, b"\0")
    refuse_if(any(state[STATE.field("in").offset :]))
    refuse_if(state[1] not in {IPV4, IPV6})
    return state[0], state[1]


def _check_packet(data: bytes, family: int) -> None:
    """Refuse a packet whose Ethernet header does not go with the family."""
    refuse_if(len(data) < ETH_HLEN + IPV4_HLEN)
    protocol = int.from_bytes(data[12:ETH_HLEN], "big")
    refuse_if(protocol not in HEADERS, Errno.EPROTO)
    expected, header = HEADERS[EtherType(protocol)]
    refuse_if(len(data) < ETH_HLEN + header or family != expected)
