"""SK_SKB programs: bytes that a socket of a SOCKMAP received, cut into messages and judged (net/core/skmsg.c).

A parser returns the length of the message that the bytes begin with, 0 if it needs more to tell; a verdict program
returns SK.PASS or SK.DROP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.context import layout
from bpflab.abi.errno import Errno
from bpflab.abi.prog_types import ProgType
from bpflab.abi.run_rules import ETH_HLEN
from bpflab.abi.verdicts import SK
from bpflab.sim.hooks.skb import SkbHook
from bpflab.sim.refusal import refuse_if
from bpflab.sim.sk_redirect import note_redirect
from bpflab.sim.skb import Skb
from bpflab.sim.skb_access import SK_SKB
from bpflab.sim.skb_context import SkbContext
from bpflab.sim.skb_load import packet_loader
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.memory import Scope
    from bpflab.sim.programs import SimProgram

SK_BUFF: Final = layout("__sk_buff")
NOT_GIVEN: Final = frozenset({"len", "data", "data_end", "data_meta", "flow_keys"})
"""Fields that the packet itself tells."""


class SkSkbHook(SkbHook):
    """Bytes of a stream in a socket buffer without headers; fields of the context are taken as given.

    The bytes are paged, as those of a TCP stream are: a program reaches them after skb_pull_data.
    """

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run once on the bytes; what the program made of them comes back."""
        refuse_if(given.flags or given.cpu or given.batch_size or given.repeat > 1)
        raw = given.ctx or b""
        refuse_if(any(raw[SK_BUFF.size :]), Errno.E2BIG)
        with kernel.memory.scope() as scope:
            skb = self._build(scope, given.data, raw)
            env = Environment(kernel, program, skb.context.region.address, skb)
            retval = invoke(env, scope, packet_loader(skb))
            parses = program.spec.expected_attach_type == AttachType.SK_SKB_STREAM_PARSER
            note_redirect(env, skb.content, passed=not parses and retval == SK.PASS)
            after = bytes(skb.context.bytes[: SK_BUFF.size]) if given.wants_ctx else None
            return RunOutput(retval, skb.content, after)

    def _build(self, scope: Scope, data: bytes, raw: bytes) -> Skb:
        skb = Skb(scope, bytes(ETH_HLEN) + data, with_mac=False)
        skb.context = SkbContext(scope)
        for field in SK_BUFF.fields:
            if field.name not in NOT_GIVEN:
                skb.context.set_raw(field.name, raw[field.offset : field.end])
        skb.nonlinear = len(data)
        skb.refresh()
        return skb


HOOK: Final = SkSkbHook(ProgType.SK_SKB, SK_SKB)
