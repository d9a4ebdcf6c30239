"""PROG_ATTACH, PROG_DETACH and PROG_QUERY."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_targets import CGROUP_PROGRAMS
from bpflab.abi.attach_types import AttachType
from bpflab.abi.errno import Errno
from bpflab.abi.flags import AttachFlag, QueryFlag
from bpflab.abi.prog_types import ProgType
from bpflab.sim import user
from bpflab.sim.links import SimLink
from bpflab.sim.mprog import Entry, Order
from bpflab.sim.place_finder import check_attach_type, own_namespace, place_of, program_type
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.places import Place
    from bpflab.sim.request import Request

ID: Final = int(AttachFlag.ID)
LINK: Final = int(AttachFlag.LINK)
REPLACE: Final = int(AttachFlag.REPLACE)
ORDERED: Final = int(AttachFlag.BEFORE | AttachFlag.AFTER) | ID | LINK | REPLACE
BASE: Final = int(AttachFlag.ALLOW_OVERRIDE | AttachFlag.ALLOW_MULTI | AttachFlag.PREORDER) | REPLACE
TARGET_FIRST: Final = frozenset({ProgType.SK_MSG, ProgType.SK_SKB})
"""Types whose target PROG_DETACH looks at before the program."""
EFFECTIVE: Final = int(QueryFlag.EFFECTIVE)


def prog_attach(kernel: SimKernel, request: Request) -> int:
    """Attach a program to a cgroup, interface, network namespace or map of sockets."""
    attach_type, flags = request["attach_type"], request["attach_flags"]
    wanted = program_type(attach_type)
    _check_flags(wanted, request)
    program = _program(kernel, request["attach_bpf_fd"], wanted)
    check_attach_type(program, attach_type)
    refuse_if(wanted in {ProgType.XDP, ProgType.SK_LOOKUP, ProgType.TRACING})
    old = kernel.find(request["replace_bpf_fd"], SimProgram) if flags & REPLACE else None
    place = _place(kernel, request, wanted)
    place.attach(Entry(program, flags=flags), order_of(kernel, request, flags, program.type), old)
    return 0


def prog_detach(kernel: SimKernel, request: Request) -> int:
    """Detach a program that PROG_ATTACH attached."""
    wanted, flags = program_type(request["attach_type"]), request["attach_flags"]
    refuse_if(flags & ~ORDERED if wanted == ProgType.SCHED_CLS else flags or request["relative_fd"])
    refuse_if(wanted in {ProgType.XDP, ProgType.SK_LOOKUP, ProgType.TRACING})
    place = _place(kernel, request, wanted) if wanted in TARGET_FIRST else None
    program = _named_program(kernel, request["attach_bpf_fd"], wanted)
    place = place or _place(kernel, request, wanted)
    place.detach(program, order_of(kernel, request, flags, program.type if program else None))
    return 0


def prog_query(kernel: SimKernel, request: Request) -> int:
    """List the programs of a hook by id; ENOSPC when there are more than the caller has room for."""
    attach_type, asked = request["attach_type"], request["query_flags"]
    wanted = program_type(attach_type)
    of_cgroup = wanted in CGROUP_PROGRAMS
    refuse_if(asked & ~(EFFECTIVE if of_cgroup else 0) or wanted == ProgType.XDP or attach_type == AttachType.LSM_MAC)
    place = place_of(kernel, attach_type, request["target_fd"])
    entries = place.effective() if asked else place.entries
    counts = wanted in CGROUP_PROGRAMS or wanted == ProgType.SCHED_CLS
    request.answer("attach_flags", 0 if asked else place.flags)
    request.answer("prog_cnt", len(entries))
    request.answer("revision", place.list.revision if counts and not asked else 0)
    room = request["prog_cnt"]
    if not (room and request["prog_ids"]):
        return 0
    _write(request, "prog_ids", [entry.program.id for entry in entries[:room]])
    _write(request, "prog_attach_flags", [entry.flags for entry in entries[:room]])
    _write(request, "link_ids", [entry.link.id if entry.link else 0 for entry in entries[:room]])
    _write(request, "link_attach_flags", [0 for _ in entries[:room]])
    refuse_if(room < len(entries), Errno.ENOSPC)
    return 0


def order_of(kernel: SimKernel, request: Request, flags: int, prog_type: ProgType | None) -> Order:
    """Read what BEFORE and AFTER refer to: a program or a link, by descriptor or by id."""
    number, revision = request["relative_fd"], request["expected_revision"]
    if flags & LINK:
        refuse_if(not (flags & ID or number))
        link = kernel.links.get(number) if flags & ID else kernel.find(number, SimLink)
        if not isinstance(link, SimLink) or (prog_type is not None and link.program.type != prog_type):
            raise Refusal(Errno.EINVAL)
        return Order(flags & ~(ID | LINK), link.program, link, revision)
    if not (flags & ID or number):
        return Order(flags, revision=revision)
    program = kernel.programs.get(number) if flags & ID else kernel.find(number, SimProgram)
    refuse_if(prog_type is not None and program.type != prog_type)
    return Order(flags & ~ID, program, revision=revision)


def _check_flags(wanted: ProgType, request: Request) -> None:
    flags = request["attach_flags"]
    if wanted == ProgType.SCHED_CLS:
        refuse_if(flags & ~ORDERED)
    elif wanted in CGROUP_PROGRAMS:
        refuse_if(flags & ~(ORDERED | BASE))
    else:
        refuse_if(flags & ~BASE or request["relative_fd"] or request["expected_revision"])


def _place(kernel: SimKernel, request: Request, wanted: ProgType) -> Place:
    target = request["target_fd"]
    if wanted == ProgType.FLOW_DISSECTOR:
        refuse_if(target)
        return own_namespace(kernel, request["attach_type"])
    return place_of(kernel, request["attach_type"], target)


def _program(kernel: SimKernel, fd: int, wanted: ProgType) -> SimProgram:
    program = kernel.find(fd, SimProgram)
    refuse_if(program.type != wanted)
    return program


def _named_program(kernel: SimKernel, fd: int, wanted: ProgType) -> SimProgram | None:
    """Return the program to detach; a cgroup takes a wrong descriptor for none, tcx only 0."""
    if wanted == ProgType.SCHED_CLS and not fd:
        return None
    try:
        return _program(kernel, fd, wanted)
    except Refusal:
        if wanted in {*CGROUP_PROGRAMS, ProgType.LSM}:
            return None
        raise


def _write(request: Request, name: str, numbers: list[int]) -> None:
    if request[name] and numbers:
        user.write(request[name], struct.pack(f"={len(numbers)}I", *numbers))
