"""Which hook a target and an attach type mean, found in the kernel's books or opened there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_targets import CGROUP_PROGRAMS, FIXED_AT_LOAD, PROGRAM_OF
from bpflab.abi.attach_types import AttachType
from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.sim.maps.base import SimMap
from bpflab.sim.places import CgroupPlace, DissectorPlace, MprogPlace, Place, SockmapPlace, XdpPlace
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.targets import cgroup, network_namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import SimProgram

TCX: Final = frozenset({AttachType.TCX_INGRESS, AttachType.TCX_EGRESS})
RIVALS: Final[dict[int, int]] = {
    AttachType.SK_SKB_VERDICT: AttachType.SK_SKB_STREAM_VERDICT,
    AttachType.SK_SKB_STREAM_VERDICT: AttachType.SK_SKB_VERDICT,
}
"""Attach types of which a map of sockets has one at most."""
SOCKET_MAPS: Final = frozenset({MapType.SOCKMAP, MapType.SOCKHASH})


def program_type(attach_type: int) -> ProgType:
    """Return the type of program that an attach type implies; EINVAL when it implies none."""
    try:
        return PROGRAM_OF[AttachType(attach_type)]
    except (KeyError, ValueError):
        raise Refusal(Errno.EINVAL) from None


def check_attach_type(program: SimProgram, attach_type: int) -> None:
    """Refuse (EINVAL) an attach type that a program was not loaded for."""
    wrong = program.spec.expected_attach_type != attach_type
    refuse_if(program.type in FIXED_AT_LOAD and wrong)
    refuse_if(program.type in {ProgType.TRACING, ProgType.LSM, ProgType.EXT} and attach_type and wrong)


def place_of(kernel: SimKernel, attach_type: int, target: int) -> Place:
    """Return the hook of an attach type at a target; the errno of the running kernel for a wrong target."""
    prog_type = program_type(attach_type)
    if prog_type in CGROUP_PROGRAMS or prog_type == ProgType.LSM:
        return _open(kernel, CgroupPlace, "cgroup", cgroup(target).identity, attach_type)
    if prog_type == ProgType.XDP:
        refuse_if(target not in kernel.world.interfaces)
        return _open(kernel, XdpPlace, "interface", target, attach_type)
    if prog_type == ProgType.SCHED_CLS:
        refuse_if(attach_type not in TCX)
        refuse_if(target not in kernel.world.interfaces, Errno.ENODEV)
        return _open(kernel, MprogPlace, "interface", target, attach_type)
    if prog_type in {ProgType.SK_MSG, ProgType.SK_SKB}:
        return _sockmap(kernel, _socket_map(kernel, target), attach_type)
    return _namespace(kernel, prog_type, attach_type, target)


def own_namespace(kernel: SimKernel, attach_type: int) -> Place:
    """Return the flow dissector's hook of the process's network namespace, where PROG_ATTACH puts it."""
    return _open(kernel, DissectorPlace, "netns", network_namespace(None), attach_type)


def _namespace(kernel: SimKernel, prog_type: ProgType, attach_type: int, target: int) -> Place:
    kinds: dict[ProgType, type[Place]] = {ProgType.FLOW_DISSECTOR: DissectorPlace, ProgType.SK_LOOKUP: Place}
    refuse_if(prog_type not in kinds)
    return _open(kernel, kinds[prog_type], "netns", network_namespace(target), attach_type)


def _sockmap(kernel: SimKernel, number: int, attach_type: int) -> Place:
    place = _open(kernel, SockmapPlace, "sockmap", number, attach_type)
    if isinstance(place, SockmapPlace) and attach_type in RIVALS:
        place.rival = _open(kernel, SockmapPlace, "sockmap", number, RIVALS[attach_type])
    return place


def _socket_map(kernel: SimKernel, fd: int) -> int:
    found = kernel.find(fd, SimMap)
    refuse_if(found.type not in SOCKET_MAPS, Errno.EOPNOTSUPP)
    return found.id


def _open(kernel: SimKernel, kind: Callable[[], Place], *key: object) -> Place:
    return kernel.places.setdefault(key, kind())
