"""LINK_CREATE, LINK_UPDATE, LINK_DETACH and RAW_TRACEPOINT_OPEN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_targets import LINK_OF, Target
from bpflab.abi.attach_types import AttachType, LinkType
from bpflab.abi.attr import LINK_CREATE_LAYOUTS
from bpflab.abi.errno import Errno
from bpflab.abi.flags import AttachFlag, XdpAttachFlag
from bpflab.abi.prog_types import ProgType
from bpflab.sim import user
from bpflab.sim.commands.attach import order_of
from bpflab.sim.link_info import fill_kernel, fill_raw_tracepoint, fill_target
from bpflab.sim.links import SimLink
from bpflab.sim.maps.struct_ops import StructOpsMap
from bpflab.sim.mprog import Order
from bpflab.sim.ops_links import OpsLink, ops_link_create
from bpflab.sim.perf import SimPerfEvent
from bpflab.sim.place_finder import check_attach_type, place_of, program_type
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.request import Decoder, Request

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel

MULTI: Final = int(AttachFlag.ALLOW_MULTI)
REPLACE: Final = int(AttachFlag.REPLACE)
PREORDER: Final = int(AttachFlag.PREORDER)
ORDER: Final = int(AttachFlag.BEFORE | AttachFlag.AFTER | AttachFlag.ID | AttachFlag.LINK)
XDP_MODES: Final = int(XdpAttachFlag.SKB_MODE | XdpAttachFlag.DRV_MODE | XdpAttachFlag.HW_MODE)
HW_MODE: Final = int(XdpAttachFlag.HW_MODE)
SKB_MODE: Final = int(XdpAttachFlag.SKB_MODE)
NAME_MAX: Final = 128
RELATIVE: Final = Decoder(LINK_CREATE_LAYOUTS["relative"], known=60)
OWN_PLACE: Final = frozenset({LinkType.CGROUP, LinkType.XDP, LinkType.TCX, LinkType.NETNS, LinkType.SOCKMAP})
RAW_TRACEPOINTS: Final = frozenset({ProgType.RAW_TRACEPOINT, ProgType.RAW_TRACEPOINT_WRITABLE})


def link_create(kernel: SimKernel, request: Request) -> int:
    """Attach a program and return the descriptor that holds it there."""
    attach_type = request["attach_type"]
    if attach_type == AttachType.STRUCT_OPS:
        return ops_link_create(kernel, request)
    program = kernel.find(request["prog_fd"], SimProgram)
    if program.type not in LINK_OF:
        raise Refusal(Errno.EINVAL)
    link_type, target = LINK_OF[program.type]
    if link_type in OWN_PLACE:
        refuse_if(program_type(attach_type) != program.type)
    check_attach_type(program, attach_type)
    link = SimLink(kernel, link_type, program, attach_type)
    try:
        _attach(kernel, request, link, target)
    except Refusal:
        kernel.links.add(link).put()
        raise
    return kernel.files.open(kernel.links.add(link))


def link_update(kernel: SimKernel, request: Request) -> int:
    """Give a link another program, in the place of `old_prog_fd` if REPLACE is set."""
    flags, old_fd = request["flags"], request["old_prog_fd"]
    refuse_if(flags & ~REPLACE)
    link = kernel.files.get(request["link_fd"]).object
    refuse_if(old_fd and not flags & REPLACE)
    if isinstance(link, OpsLink):
        before = kernel.find(old_fd, StructOpsMap) if flags & REPLACE else None
        link.update(kernel.find(request["new_prog_fd"], StructOpsMap), before)
        return 0
    link = kernel.find(request["link_fd"], SimLink)
    program = kernel.find(request["new_prog_fd"], SimProgram)
    old = kernel.find(old_fd, SimProgram) if flags & REPLACE else None
    link.update(program, old)
    return 0


def link_detach(kernel: SimKernel, request: Request) -> int:
    """Take a link's program from its hook."""
    link = kernel.files.get(request["link_fd"]).object
    if not isinstance(link, SimLink | OpsLink):
        raise Refusal(Errno.EINVAL)
    link.detach()
    return 0


def raw_tracepoint_open(kernel: SimKernel, request: Request) -> int:
    """Attach a program to a tracepoint, whose name is taken as it is: the simulated kernel has no list of them."""
    program = kernel.find(request["prog_fd"], SimProgram)
    name = user.read_text(request["name"], NAME_MAX)
    refuse_if(program.type not in RAW_TRACEPOINTS)
    link = SimLink(kernel, LinkType.RAW_TRACEPOINT, program, 0)
    link.fill = fill_raw_tracepoint(name, request["cookie"])
    return kernel.files.open(kernel.links.add(link))


def _attach(kernel: SimKernel, request: Request, link: SimLink, target: Target) -> None:
    where = request["target_fd"]
    if target == Target.PERF_EVENT:
        refuse_if(request["attach_type"] != AttachType.PERF_EVENT)
        kernel.find(where, SimPerfEvent).set_program(link.program)
        return
    if target == Target.KERNEL:
        link.fill = fill_kernel(link)
        return
    order = _order(kernel, request, link)
    place = place_of(kernel, link.attach_type, where)
    place.attach(link.entry, order)
    link.place = place
    link.fill = fill_target(link, target, where)


def _order(kernel: SimKernel, request: Request, link: SimLink) -> Order:
    """Read the flags of LINK_CREATE as each kind of link takes them."""
    flags = request["flags"]
    if link.type == LinkType.XDP:
        modes = flags & XDP_MODES
        refuse_if(flags & ~XDP_MODES or modes & (modes - 1))
        refuse_if(flags & HW_MODE, Errno.EOPNOTSUPP)
        return Order(flags or SKB_MODE)
    if link.type not in {LinkType.CGROUP, LinkType.TCX}:
        refuse_if(flags)
        return Order()
    refuse_if(link.type == LinkType.CGROUP and flags & ~(ORDER | PREORDER))
    link.entry.flags = flags & PREORDER
    tail = Request(RELATIVE, request.address, request.size)
    order = order_of(kernel, tail, flags & ~PREORDER, link.program.type)
    if link.type == LinkType.TCX:
        return order
    return Order(order.flags | MULTI, order.program, order.link, order.revision)
