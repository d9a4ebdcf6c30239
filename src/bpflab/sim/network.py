"""Packets sent through the programs that are attached to the simulated machine's interfaces, redirects followed.

The order is that of the kernel's receive and transmit paths (net/core/dev.c, net/core/filter.c): XDP, tc ingress, the
stack; tc egress, the wire. What XDP sends goes to the wire at once; what leaves one of a pair arrives at the other.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.helper_flags import RedirectFlag
from bpflab.abi.verdicts import TCX, XDP
from bpflab.errors import ArgumentError
from bpflab.sim.events import Clone, Redirect
from bpflab.sim.hops import Runs
from bpflab.sim.maps.devmap import CpuMap, DevMap, TargetMap
from bpflab.sim.neighbours import addressed
from bpflab.sim.path import End, Fate, Hook, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpflab.sim.events import Event
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.devmap import Target
    from bpflab.sim.programs import SimProgram

LONGEST: Final = 64
"""Programs that a packet may meet before it is said to go round."""
INGRESS: Final = int(RedirectFlag.INGRESS)
BROADCAST: Final = int(RedirectFlag.BROADCAST)
EXCLUDE_INGRESS: Final = int(RedirectFlag.EXCLUDE_INGRESS)


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet under way: its bytes, the interface it came in by, the CPU it is on, its `__sk_buff` if it has one."""

    data: bytes
    ifindex: int
    cpu: int = 0
    skb: bytes | None = None

    def at(self, ifindex: int) -> Packet:
        """Return it as a new arrival at an interface."""
        return Packet(self.data, ifindex, self.cpu)


class Network:
    """One packet's way. Every stage gives the stages that come after it to `waiting`."""

    def __init__(self, kernel: SimKernel) -> None:
        self.kernel = kernel
        self.way = Way()
        self.runs = Runs(kernel, self.way)
        self.waiting: deque[Callable[[], None]] = deque()

    def send(self, packet: Packet, stage: Callable[[Packet], None]) -> Way:
        """Follow a packet from a stage on to all its ends."""
        self.waiting.append(lambda: stage(packet))
        while self.waiting:
            if len(self.way.hops) > LONGEST:
                raise ArgumentError(f"The packet met more than {LONGEST} programs and goes round:\n{self.way}")
            self.waiting.popleft()()
        return self.way

    def arrive(self, packet: Packet) -> None:
        """Receive it at an interface: its XDP program, if it has one, then tc."""
        programs = self._programs(packet.ifindex, AttachType.XDP)
        if not programs:
            self.ingress(packet)
            return
        verdict, after, events = self.runs.xdp(Hook.XDP, programs[0], packet)
        if verdict is XDP.PASS:
            self._then(self.ingress, after)
        elif verdict is XDP.TX:
            self._then(self.transmit, after)
        elif verdict is XDP.REDIRECT:
            self._follow_xdp(after, events)
        else:
            self._end(Fate.DROPPED, after, f"{programs[0].name} said {getattr(verdict, 'name', verdict)}")

    def ingress(self, packet: Packet) -> None:
        """Let tc programs look at it on its way in, then the stack have it."""
        self._classify(packet, AttachType.TCX_INGRESS, Hook.INGRESS, lambda after: self._end(Fate.STACK, after))

    def egress(self, packet: Packet) -> None:
        """Let tc programs look at it on its way out, then send it."""
        self._classify(packet, AttachType.TCX_EGRESS, Hook.EGRESS, self.transmit)

    def transmit(self, packet: Packet) -> None:
        """Send it by an interface: to the other of a pair, or out of the machine."""
        peer = self.kernel.world.interfaces[packet.ifindex].peer
        if peer:
            self._then(self.arrive, packet.at(peer))
        else:
            self._end(Fate.LEFT, packet)

    def _classify(self, packet: Packet, attach_type: AttachType, hook: Hook, passed: Callable[[Packet], None]) -> None:
        for program in self._programs(packet.ifindex, attach_type):
            verdict, packet, events = self.runs.tc(hook, program, packet)
            self._clones(packet, events)
            if verdict is TCX.REDIRECT:
                self._follow_tc(packet, events)
                return
            if verdict is TCX.DROP:
                self._end(Fate.DROPPED, packet, f"{program.name} said DROP")
                return
            if verdict is TCX.PASS:
                break
        passed(packet)

    def _clones(self, packet: Packet, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Clone):
                copy = Packet(event.packet, event.ifindex, packet.cpu)
                self._then(self.arrive if event.flags & INGRESS else self.egress, copy)

    def _follow_tc(self, packet: Packet, events: Sequence[Event]) -> None:
        found = _redirect(events)
        interfaces = self.kernel.world.interfaces
        if found is None or found.ifindex not in interfaces:
            self._end(Fate.DROPPED, packet, "it was redirected to no interface that is there")
        elif found.helper == "redirect_neigh":
            self._to_neighbour(packet, found)
        elif found.helper == "redirect_peer":
            self._then(self.arrive, packet.at(interfaces[found.ifindex].peer or found.ifindex))
        else:
            self._then(self.arrive if found.flags & INGRESS else self.egress, packet.at(found.ifindex))

    def _to_neighbour(self, packet: Packet, found: Redirect) -> None:
        data = addressed(self.kernel.world, packet.data, found)
        if isinstance(data, str):
            self._end(Fate.DROPPED, packet, data)
        else:
            self._then(self.egress, Packet(data, found.ifindex, packet.cpu))

    def _follow_xdp(self, packet: Packet, events: Sequence[Event]) -> None:
        found = _redirect(events)
        if found is None:
            self._end(Fate.DROPPED, packet, "it was redirected nowhere")
        elif found.map:
            self._by_map(packet, found)
        elif found.ifindex in self.kernel.world.interfaces:
            self._then(self.transmit, packet.at(found.ifindex))
        else:
            self._end(Fate.DROPPED, packet, f"there is no interface {found.ifindex}")

    def _by_map(self, packet: Packet, found: Redirect) -> None:
        target = next((each for each in self.kernel.maps if each.name == found.map), None)
        if isinstance(target, CpuMap):
            self._to_cpu(packet, found.index, target.targets[found.index])
        elif isinstance(target, DevMap):
            for entry in _targets(target, found, packet.ifindex):
                self._to_device(packet, entry)
        else:
            self._end(Fate.DROPPED, packet, f"map {found.map!r} holds no interfaces and no CPUs")

    def _to_device(self, packet: Packet, entry: Target) -> None:
        if entry.program is not None:
            verdict, packet, _ = self.runs.xdp(Hook.DEVMAP, entry.program, packet, egress=entry.number)
            if verdict is not XDP.PASS:
                self._end(Fate.DROPPED, packet, f"{entry.program.name} said {getattr(verdict, 'name', verdict)}")
                return
        self._then(self.transmit, packet.at(entry.number))

    def _to_cpu(self, packet: Packet, cpu: int, entry: Target) -> None:
        packet = Packet(packet.data, packet.ifindex, cpu)
        if entry.program is None:
            self._then(self.ingress, packet)
            return
        verdict, packet, events = self.runs.xdp(Hook.CPUMAP, entry.program, packet)
        if verdict is XDP.PASS:
            self._then(self.ingress, packet)
        elif verdict is XDP.REDIRECT:
            self._follow_xdp(packet, events)
        else:
            self._end(Fate.DROPPED, packet, f"{entry.program.name} said {getattr(verdict, 'name', verdict)}")

    def _programs(self, ifindex: int, attach_type: AttachType) -> list[SimProgram]:
        place = self.kernel.places.get(("interface", ifindex, attach_type))
        return [] if place is None else [entry.program for entry in place.effective()]

    def _then(self, stage: Callable[[Packet], None], packet: Packet) -> None:
        self.waiting.append(lambda: stage(packet))

    def _end(self, fate: Fate, packet: Packet, reason: str = "") -> None:
        name = self.kernel.world.interfaces[packet.ifindex].name
        self.way.ends.append(End(fate, name, packet.data, reason))


def _redirect(events: Sequence[Event]) -> Redirect | None:
    return next((event for event in reversed(events) if isinstance(event, Redirect)), None)


def _targets(found: TargetMap, redirect: Redirect, ingress: int) -> list[Target]:
    if not redirect.flags & BROADCAST:
        return [found.targets[redirect.index]]
    left_out = ingress if redirect.flags & EXCLUDE_INGRESS else 0
    return [target for target in found.targets.values() if target.number != left_out]
