"""XDP programs: `struct xdp_md`, frames in pages, verdicts (net/core/filter.c, net/bpf/test_run.c)."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.context import layout
from bpflab.abi.errno import Errno
from bpflab.abi.flags import RunFlag
from bpflab.abi.helpers import helper
from bpflab.abi.prog_types import ProgType
from bpflab.abi.run_rules import ETH_HLEN, XDP_MAX_DATA, XDP_MAX_META
from bpflab.abi.verdicts import XDP
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.events import Redirect
from bpflab.sim.frame import XdpFrame
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.memory import Region, Scope
    from bpflab.sim.programs import ProgSpec, SimProgram

MD: Final = layout("xdp_md")
PLACES: Final = {
    "data": CtxField(Kind.PACKET, 0, 8),
    "data_end": CtxField(Kind.PACKET_END, 8, 8),
    "data_meta": CtxField(Kind.PACKET_META, 16, 8),
    "ingress_ifindex": CtxField(Kind.SCALAR, 24, 4),
    "rx_queue_index": CtxField(Kind.SCALAR, 28, 4),
    "egress_ifindex": CtxField(Kind.SCALAR, 32, 4),
}
"""Where the simulated context keeps each field of `struct xdp_md`, pointers as 64 bits."""
CONTEXT_SIZE: Final = 40
LOOPBACK: Final = 1
BEHIND_A_MAP: Final = frozenset({AttachType.XDP_DEVMAP, AttachType.XDP_CPUMAP})
"""Programs for entries of a map; a test run is EINVAL for them."""


class XdpHook:
    """The rules and the test run of XDP programs."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow aligned reads of whole fields; egress_ifindex for programs of devmap entries alone."""
        devmap = spec.expected_attach_type == AttachType.XDP_DEVMAP

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            field = MD.at(offset) if 0 <= offset < MD.size else None
            if store or field is None or size != 4 or offset != field.offset:
                return None
            return None if field.name == "egress_ifindex" and not devmap else PLACES[field.name]

        return rule

    def helper_allowed(self, spec: ProgSpec, helper_id: int) -> bool:
        """Ask the helper table."""
        del spec
        return ProgType.XDP in helper(helper_id).programs

    def return_range(self, spec: ProgSpec) -> tuple[int, int] | None:
        """Take any value; one that is no verdict drops the packet."""
        del spec
        return None

    def packet_writable(self, spec: ProgSpec) -> bool:
        """Allow writes."""
        del spec
        return True

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run on a frame that holds the packet, `repeat` times over the same frame; live frames are new each time."""
        refuse_if(program.spec.expected_attach_type in BEHIND_A_MAP)
        md = check_input(kernel, given)
        if given.flags & RunFlag.XDP_LIVE_FRAMES:
            refuse_if((given.ctx is not None or given.wants_ctx) and (given.wants_data or given.wants_ctx))
            once = replace(given, repeat=1, ctx_size_out=0)
            for _ in range(max(given.repeat, 1)):
                self.run(kernel, program, once, md)
            return RunOutput(0, given.data)
        return self.run(kernel, program, given, md)

    def run(self, kernel: SimKernel, program: SimProgram, given: RunInput, md: dict[str, int]) -> RunOutput:
        """Run on a frame that arrived as `md` says, whatever a test run would refuse."""
        with kernel.memory.scope() as scope:
            frame = XdpFrame(scope, given.data, md["data"])
            context = open_context(scope, frame, md)
            env = Environment(kernel, program, context.address, frame)
            retval = 0
            for _ in range(max(given.repeat, 1)):
                retval = invoke(env, scope)
                _note_redirect(env, frame, retval)
            return RunOutput(retval, frame.content(), _context_out(frame, md) if given.wants_ctx else None)


HOOK: Final = XdpHook()


def check_input(kernel: SimKernel, given: RunInput) -> dict[str, int]:
    """Read `struct xdp_md`, and refuse what the kernel refuses."""
    live = bool(given.flags & RunFlag.XDP_LIVE_FRAMES)
    refuse_if(given.flags & ~int(RunFlag.XDP_LIVE_FRAMES) or (given.batch_size and not live))
    refuse_if(given.batch_size > 256, Errno.E2BIG)
    raw = given.ctx or b""
    refuse_if(any(raw[MD.size :]), Errno.E2BIG)
    values = struct.unpack("=6I", raw[: MD.size].ljust(MD.size, b"\0"))
    md = dict(zip((field.name for field in MD.fields), values, strict=True))
    size, meta = len(given.data), md["data"]
    refuse_if(md["data_meta"] or md["data_end"] > size or (given.ctx is not None and meta > md["data_end"]))
    refuse_if(meta % 4 or meta > XDP_MAX_META or md["egress_ifindex"])
    refuse_if(size - meta < ETH_HLEN)
    refuse_if(bool(md["rx_queue_index"]) and not md["ingress_ifindex"])
    if md["ingress_ifindex"]:
        refuse_if(md["rx_queue_index"] >= kernel.world.queues(md["ingress_ifindex"]))
    refuse_if(size > XDP_MAX_DATA + meta, Errno.ENOMEM)
    return md


def open_context(scope: Scope, frame: XdpFrame, md: dict[str, int]) -> Region:
    """Lay out the simulated context of a frame."""
    context = scope.add(RegionKind.CONTEXT, bytearray(CONTEXT_SIZE), name="xdp_md", writable=False, owner=frame)
    order = scope.memory.order
    for name in ("ingress_ifindex", "rx_queue_index", "egress_ifindex"):
        place = PLACES[name]
        context.data[place.offset : place.offset + 4] = md[name].to_bytes(4, order)
    frame.context = context
    frame.ifindex = md["ingress_ifindex"] or LOOPBACK
    frame.refresh()
    return context


def _note_redirect(env: Environment, frame: XdpFrame, retval: int) -> None:
    chosen = env.state.pop("redirect", None)
    if retval == XDP.REDIRECT and isinstance(chosen, Redirect):
        env.kernel.world.record(replace(chosen, packet=frame.read(0, frame.length)))


def _context_out(frame: XdpFrame, md: dict[str, int]) -> bytes:
    fields = md | {"data": frame.data - frame.data_meta, "data_end": frame.data_end - frame.data_meta}
    return struct.pack("=6I", *fields.values())
