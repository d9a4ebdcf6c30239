"""Where a program attaches, from what a caller says: one function for each kind of target.

Each gives the fields of LINK_CREATE (linux/bpf.h) and the layout of its tail.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.attach_targets import LINK_OF, Target
from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType
from bpflab.errors import AttachError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.backend.attr import AttrValue
    from bpflab.programs.program import Program

HOOKS: Final = {
    "ingress": AttachType.TCX_INGRESS,
    "egress": AttachType.TCX_EGRESS,
    "primary": AttachType.NETKIT_PRIMARY,
    "peer": AttachType.NETKIT_PEER,
}
"""The hooks of an interface for tc programs."""
OWN_NAMESPACE: Final = "/proc/self/ns/net"
ONLY: Final = {
    ProgType.XDP: AttachType.XDP,
    ProgType.FLOW_DISSECTOR: AttachType.FLOW_DISSECTOR,
    ProgType.SK_LOOKUP: AttachType.SK_LOOKUP,
    ProgType.SK_MSG: AttachType.SK_MSG_VERDICT,
    ProgType.SOCK_OPS: AttachType.CGROUP_SOCK_OPS,
    ProgType.CGROUP_DEVICE: AttachType.CGROUP_DEVICE,
    ProgType.CGROUP_SYSCTL: AttachType.CGROUP_SYSCTL,
    ProgType.PERF_EVENT: AttachType.PERF_EVENT,
    ProgType.KPROBE: AttachType.PERF_EVENT,
    ProgType.TRACEPOINT: AttachType.PERF_EVENT,
    ProgType.NETFILTER: AttachType.NETFILTER,
}
"""The attach type of program types that have one place to go."""


@dataclass(slots=True)
class Place:
    """The fields of LINK_CREATE for one target; `opened` are descriptors that are needed for the call alone."""

    attach_type: int
    target: int = 0
    tail: str = ""
    values: dict[str, AttrValue] = field(default_factory=dict)
    opened: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close what was opened for the call."""
        while self.opened:
            os.close(self.opened.pop())


def place_of(program: Program, to: Any, hook: str | AttachType | None) -> Place:  # noqa: ANN401 - of the program's type
    """Return where a program goes; AttachError in words for what its type cannot take."""
    if program.type not in LINK_OF:
        raise AttachError(f"Programs of type {program.type.name} are not attached by a link; {_instead(program.type)}.")
    _, target = LINK_OF[program.type]
    return _PLACES[target](program, to, hook)


def _instead(prog_type: ProgType) -> str:
    if prog_type in {ProgType.RAW_TRACEPOINT, ProgType.RAW_TRACEPOINT_WRITABLE}:
        return "name their tracepoint: attach(program, 'sched_switch')"
    return "attach them by what the kernel has for that type"


def _attach_type(program: Program, hook: str | AttachType | None) -> AttachType:
    """Return the attach type: the one asked for, that of the object's section, or the only one there is."""
    if isinstance(hook, AttachType):
        return hook
    if isinstance(hook, str):
        name = hook.upper()
        if hook in HOOKS:
            return HOOKS[hook]
        if name in AttachType.__members__:
            return AttachType[name]
        raise AttachError(f"hook={hook!r} is no place to attach; expected {', '.join(HOOKS)} or a name of AttachType.")
    loaded = program.spec.attach_type if program.spec is not None else None
    found = loaded or ONLY.get(program.type)
    if found is None:
        raise AttachError(
            f"Where {program.name!r} attaches is not known: its section does not say it; give hook='ingress', 'egress' "
            "or an AttachType."
        )
    return AttachType(found)


def _interface(program: Program, to: Any, hook: str | AttachType | None) -> Place:  # noqa: ANN401 - see ifindex_of
    return Place(_attach_type(program, hook), ifindex_of(program, to))


def ifindex_of(program: Program, to: Any) -> int:  # noqa: ANN401 - name, index, or something with an ifindex
    """Return an interface's index from its name, its index or an object with `ifindex`."""
    if isinstance(to, int):
        return to
    if isinstance(to, str) and program.lab.backend.name != "sim":
        try:
            return socket.if_nametoindex(to)
        except OSError:
            raise AttachError(f"There is no network interface {to!r} here; `ip link` lists those there are.") from None
    found = getattr(to, "ifindex", None)
    if found is None and isinstance(to, str):
        found = {each.name: each.ifindex for each in program.lab.world.interfaces.values()}.get(to)
    if not isinstance(found, int):
        raise AttachError(
            f"{program.name!r} attaches to a network interface; given {to!r}, expected its name or index."
        )
    return found


def _cgroup(program: Program, to: Any, hook: str | AttachType | None) -> Place:  # noqa: ANN401 - a path
    return _directory(program, to, hook, "the directory of a cgroup (version 2), such as /sys/fs/cgroup/test")


def _namespace(program: Program, to: Any, hook: str | AttachType | None) -> Place:  # noqa: ANN401 - a path
    return _directory(program, to or OWN_NAMESPACE, hook, "the path of a network namespace")


def _directory(program: Program, to: Any, hook: str | AttachType | None, wanted: str) -> Place:  # noqa: ANN401 - a path
    attach_type = _attach_type(program, hook)
    if to is None:
        raise AttachError(f"{program.name!r} attaches to {wanted}; give its path as `to`.")
    try:
        fd = os.open(to, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, TypeError) as error:
        raise AttachError(f"{program.name!r} attaches to {wanted}; {to!r} cannot be opened: {error}.") from error
    return Place(attach_type, fd, opened=[fd])


def _sockmap(program: Program, to: Any, hook: str | AttachType | None) -> Place:  # noqa: ANN401 - a Map
    if not hasattr(to, "fileno"):
        raise AttachError(f"{program.name!r} attaches to a SOCKMAP or SOCKHASH; given {to!r}, expected the map.")
    return Place(_attach_type(program, hook), to.fileno())


def _perf_event(program: Program, to: Any, hook: str | AttachType | None) -> Place:  # noqa: ANN401 - a descriptor
    fd = to if isinstance(to, int) else to.fileno() if hasattr(to, "fileno") else None
    if fd is None:
        raise AttachError(
            f"{program.name!r} attaches to a perf event; given {to!r}, expected its descriptor (perf_event_open)."
        )
    return Place(_attach_type(program, hook), fd)


def _kernel(program: Program, to: Any, hook: str | AttachType | None) -> Place:  # noqa: ANN401 - as the type takes it
    if program.type is ProgType.NETFILTER:
        wanted = {"pf", "hooknum", "priority"}
        values = dict(to or {})
        if not wanted >= set(values) or not {"pf", "hooknum"} <= set(values):
            raise AttachError(
                f"{program.name!r} attaches to netfilter; given {to!r}, expected dict(pf=2, hooknum=1, priority=-128)."
            )
        return Place(AttachType.NETFILTER, tail="netfilter", values={"priority": 0, **values})
    return Place(_attach_type(program, hook) if hook else 0)


_PLACES: Final[dict[Target, Callable[[Program, Any, str | AttachType | None], Place]]] = {
    Target.INTERFACE: _interface,
    Target.CGROUP: _cgroup,
    Target.NETNS: _namespace,
    Target.SOCKMAP: _sockmap,
    Target.PERF_EVENT: _perf_event,
    Target.KERNEL: _kernel,
}
