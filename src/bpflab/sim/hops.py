"""One program run as a part of a packet's way, and noted there."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from bpflab.abi.context import layout
from bpflab.abi.verdicts import TCX, XDP
from bpflab.sim.hooks import sched_cls, xdp
from bpflab.sim.path import Hook, Hop
from bpflab.sim.test_run import RunInput

if TYPE_CHECKING:
    from enum import IntEnum

    from bpflab.sim.events import Event
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.network import Packet
    from bpflab.sim.path import Way
    from bpflab.sim.programs import SimProgram

SK_BUFF: Final = layout("__sk_buff")
WORD: Final = (1 << 32) - 1
SIGN: Final = 1 << 31
Ran: TypeAlias = "tuple[IntEnum | int, Packet, list[Event]]"


class Runs:
    """Runs programs on the CPU that the packet is on, and writes down each hop."""

    def __init__(self, kernel: SimKernel, way: Way) -> None:
        self.kernel = kernel
        self.way = way

    def xdp(self, hook: Hook, program: SimProgram, packet: Packet, egress: int = 0) -> Ran:
        """Run an XDP program: its verdict, the packet after it, and what it did to the world."""
        md = {"data": 0, "ingress_ifindex": packet.ifindex, "rx_queue_index": 0, "egress_ifindex": egress}
        known, before = len(self.kernel.world.events), self.kernel.cpu
        self.kernel.cpu = packet.cpu
        try:
            output = xdp.HOOK.run(self.kernel, program, RunInput(packet.data), md)
        finally:
            self.kernel.cpu = before
        after = replace(packet, data=output.data or b"", skb=None)
        return self._noted(
            Hop(
                hook,
                self._name(packet),
                program.name,
                _meaning(XDP, output.retval),
                packet.data,
                after.data,
                packet.cpu,
            ),
            after,
            known,
        )

    def tc(self, hook: Hook, program: SimProgram, packet: Packet) -> Ran:
        """Run a tc program on the packet's socket buffer, whose mark and the like go with it."""
        known, before = len(self.kernel.world.events), self.kernel.cpu
        skb = packet.skb or self._socket_buffer(packet.ifindex)
        given = RunInput(packet.data, ctx=skb, ctx_size_out=len(skb))
        world = self.kernel.world
        self.kernel.cpu, ingress = packet.cpu, world.at_ingress
        world.at_ingress = hook is Hook.INGRESS
        try:
            output = sched_cls.HOOK.test_run(self.kernel, program, given)
        finally:
            self.kernel.cpu, world.at_ingress = before, ingress
        after = replace(packet, data=output.data or b"", skb=self._next_buffer(output.ctx or skb))
        return self._noted(
            Hop(
                hook,
                self._name(packet),
                program.name,
                _meaning(TCX, output.retval),
                packet.data,
                after.data,
                packet.cpu,
            ),
            after,
            known,
        )

    def _socket_buffer(self, ifindex: int) -> bytes:
        fields = bytearray(SK_BUFF.size)
        for name in ("ifindex", "ingress_ifindex"):
            struct.pack_into("=I", fields, SK_BUFF.field(name).offset, ifindex)
        return bytes(fields)

    def _next_buffer(self, ctx: bytes) -> bytes:
        """Make what came out of one program fit to go into the next: the length is the packet's again."""
        fields = bytearray(ctx)
        struct.pack_into("=I", fields, SK_BUFF.field("wire_len").offset, 0)
        return bytes(fields)

    def _noted(self, hop: Hop, after: Packet, known: int) -> Ran:
        self.way.hops.append(hop)
        return hop.verdict, after, list(self.kernel.world.events[known:])

    def _name(self, packet: Packet) -> str:
        return self.kernel.world.interfaces[packet.ifindex].name


def _meaning(verdicts: type[IntEnum], retval: int) -> IntEnum | int:
    number = retval & WORD
    number -= (number & SIGN) << 1
    try:
        return verdicts(number)
    except ValueError:
        return number
