"""What programs on socket buffers share: tc, socket filters, cgroup_skb and lwt (net/bpf/test_run.c).

A type's own module makes its `HOOK` of this class. The module is found under no program type's name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.flags import RunFlag
from bpflab.abi.helpers import helper
from bpflab.abi.run_rules import ETH_HLEN
from bpflab.abi.verdicts import TC
from bpflab.sim.events import Redirect
from bpflab.sim.refusal import refuse_if
from bpflab.sim.skb import Summed
from bpflab.sim.skb_checksum import sum_is_right, sum_packet
from bpflab.sim.skb_load import packet_loader
from bpflab.sim.skb_run import GivenContext, build, check_input
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.abi.prog_types import ProgType
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import ProgSpec, SimProgram
    from bpflab.sim.skb import Skb
    from bpflab.sim.skb_access import Access


class SkbHook:
    """The rules and the test run of one type: its fields, whether its packets begin with the MAC header."""

    def __init__(
        self,
        prog_type: ProgType,
        access: Access,
        *,
        with_mac: bool = False,
        packet_writable: bool = True,
    ) -> None:
        self.type = prog_type
        self.access = access
        self.with_mac = with_mac
        self._packet_writable = packet_writable

    def context(self, spec: ProgSpec) -> CtxRule:
        """Return the type's rule for `struct __sk_buff`."""
        return self.access.rule(spec.byteorder)

    def helper_allowed(self, spec: ProgSpec, helper_id: int) -> bool:
        """Ask the helper table."""
        del spec
        return self.type in helper(helper_id).programs

    def return_range(self, spec: ProgSpec) -> tuple[int, int] | None:
        """Take any value."""
        del spec
        return None

    def packet_writable(self, spec: ProgSpec) -> bool:
        """Tell whether the type may write to the packet directly."""
        del spec
        return self._packet_writable

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run on a socket buffer that holds the packet, `repeat` times over the same buffer."""
        check_input(given)
        fields = GivenContext(given, kernel.memory.order)
        with kernel.memory.scope() as scope:
            skb = build(kernel, scope, given, fields, with_mac=self.with_mac)
            checked = bool(given.flags & RunFlag.SKB_CHECKSUM_COMPLETE)
            if checked:
                skb.summed, skb.csum = Summed.COMPLETE, sum_packet(skb)
            retval = self._run(kernel, program, skb, max(given.repeat, 1))
            refuse_if(checked and not sum_is_right(skb), Errno.EBADMSG)
            return RunOutput(retval, self._data_out(skb), fields.take(skb.context) if given.wants_ctx else None)

    def _run(self, kernel: SimKernel, program: SimProgram, skb: Skb, repeat: int) -> int:
        env = Environment(kernel, program, skb.context.region.address, skb)
        retval = 0
        for _ in range(repeat):
            retval = invoke(env, skb.scope, packet_loader(skb))
            _note_redirect(env, skb, retval)
        return retval

    def _data_out(self, skb: Skb) -> bytes:
        return skb.content if self.with_mac else bytes(ETH_HLEN) + skb.content


def _note_redirect(env: Environment, skb: Skb, retval: int) -> None:
    chosen = env.state.pop("redirect", None)
    if retval == TC.REDIRECT and isinstance(chosen, Redirect):
        env.kernel.world.record(replace(chosen, packet=skb.content))
