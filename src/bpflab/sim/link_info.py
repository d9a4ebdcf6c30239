"""What struct bpf_link_info says of each kind of link, from linux/bpf.h. The union of kinds starts at byte 16."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_targets import Target
from bpflab.abi.attach_types import LinkType
from bpflab.abi.errno import Errno
from bpflab.sim import user
from bpflab.sim.maps.base import SimMap
from bpflab.sim.refusal import Refusal
from bpflab.sim.targets import cgroup, inode

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.links import SimLink

    Fill = Callable[[bytearray, bool], None]

UNION: Final = 16
NAMED: Final = struct.Struct("=QI4xQ")
"""raw_tracepoint: where the caller wants the name, how much room is there, the cookie."""


def fill_target(link: SimLink, target: Target, where: int) -> Fill:
    """Tell the target (0 after it was detached) and, but for XDP, the attach type."""
    number = target_number(link, target, where)

    def fill(info: bytearray, attached: bool) -> None:
        shown = number if attached else 0
        if link.type == LinkType.CGROUP:
            struct.pack_into("=QI", info, UNION, shown, link.attach_type)
        elif link.type == LinkType.XDP:
            struct.pack_into("=I", info, UNION, shown)
        else:
            struct.pack_into("=II", info, UNION, shown, link.attach_type)

    return fill


def target_number(link: SimLink, target: Target, where: int) -> int:
    """Return the number that stands for a link's target: an index, an inode number, a map's id."""
    if target == Target.CGROUP:
        return cgroup(where).id
    if target == Target.NETNS:
        return inode(where) & 0xFFFFFFFF
    if target == Target.SOCKMAP:
        return link.kernel.find(where, SimMap).id
    return where


def fill_kernel(link: SimLink) -> Fill:
    """Tell the attach type of a tracing link."""

    def fill(info: bytearray, attached: bool) -> None:
        del attached
        struct.pack_into("=I", info, UNION, link.attach_type)

    return fill


def fill_raw_tracepoint(name: bytes, cookie: int) -> Fill:
    """Copy the tracepoint's name to where the caller pointed; ENOSPC when it is cut off there."""
    text = name + b"\0"

    def fill(info: bytearray, attached: bool) -> None:
        del attached
        pointer, room, _ = NAMED.unpack_from(info, UNION)
        NAMED.pack_into(info, UNION, pointer, len(text), cookie)
        if not pointer:
            return
        user.write(pointer, text[: room - 1] + b"\0" if room < len(text) else text)
        if room < len(text):
            raise Refusal(Errno.ENOSPC)

    return fill
