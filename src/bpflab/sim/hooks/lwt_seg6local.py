"""Programs at the end of a segment: the action End.BPF (net/ipv6/seg6_local.c).

The kernel goes on to the next segment before the program, and drops a packet that has none left, unseen by it. It
drops the packet too if the program leaves a routing header behind that is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import LWT
from bpflab.sim import segments
from bpflab.sim.helpers.lwt import STATE, has_valid_header
from bpflab.sim.hooks.skb import SkbHook
from bpflab.sim.skb_access import LWT as FIELDS
from bpflab.sim.skb_load import packet_loader
from bpflab.sim.test_run import Environment, invoke

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import SimProgram
    from bpflab.sim.skb import Skb


class Seg6LocalHook(SkbHook):
    """A packet at its segment in, a verdict out."""

    def _run(self, kernel: SimKernel, program: SimProgram, skb: Skb, repeat: int) -> int:
        retval = int(LWT.DROP)
        for _ in range(repeat):
            state = segments.advance(skb)
            if state is None:
                return LWT.DROP
            skb.refresh()
            env = Environment(kernel, program, skb.context.region.address, skb)
            env.state[STATE] = state
            retval = invoke(env, skb.scope, packet_loader(skb))
            if retval in {LWT.OK, LWT.REDIRECT} and segments.find(skb) is not None and not has_valid_header(env, skb):
                return LWT.DROP
        return retval


HOOK: Final = Seg6LocalHook(ProgType.LWT_SEG6LOCAL, FIELDS, packet_writable=False)
