"""Attach a program by a link (LINK_CREATE, RAW_TRACEPOINT_OPEN)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.attr import LINK_CREATE_LAYOUTS
from bpflab.abi.commands import Command
from bpflab.abi.flags import AttachFlag
from bpflab.abi.prog_types import ProgType
from bpflab.attach.link import Link
from bpflab.attach.place import place_of
from bpflab.backend.descriptor import Descriptor
from bpflab.errors import AttachError, SyscallError

if TYPE_CHECKING:
    from bpflab.abi.attach_types import AttachType
    from bpflab.lab import Lab
    from bpflab.programs.program import Program

RAW_TRACEPOINTS: Final = frozenset({ProgType.RAW_TRACEPOINT, ProgType.RAW_TRACEPOINT_WRITABLE})


def attach_program(
    lab: Lab,
    program: Program,
    to: Any = None,  # noqa: ANN401 - what the program's type attaches to
    *,
    hook: str | AttachType | None = None,
    before: Program | None = None,
    after: Program | None = None,
    flags: int = 0,
) -> Link:
    """Attach a program to its hook, and return the link that holds it there; the Lab closes it.

    `to` is an interface (name, index or `Interface`) for XDP and tc programs, a cgroup's directory for cgroup
    programs, a namespace's path for SK_LOOKUP and FLOW_DISSECTOR (the process's own by default), a map for SK_MSG
    and SK_SKB, a perf event, the name of a raw tracepoint, `dict(pf=..., hooknum=...)` for NETFILTER. `hook` says
    which one, where the program's section does not: `ingress` or `egress` of tc, or an AttachType. `before` and
    `after` name a program that is attached there already. AttachError says what could not be done.
    """
    if program.type in RAW_TRACEPOINTS:
        return _raw_tracepoint(lab, program, to)
    place = place_of(program, to, hook)
    if before is not None or after is not None:
        _order(place.values, before, after)
        place.tail, flags = "relative", flags | int(AttachFlag.AFTER if before is None else AttachFlag.BEFORE)
    try:
        answer = lab.call(
            Command.LINK_CREATE,
            layout=LINK_CREATE_LAYOUTS.get(place.tail),
            advice="",
            prog_fd=program.fileno(),
            target_fd=place.target,
            attach_type=int(place.attach_type),
            flags=flags,
            **place.values,
        )
    except SyscallError as error:
        raise AttachError(f"{program.name!r} could not be attached to {to!r}. {error}") from error
    finally:
        place.close()
    return _owned(lab, program, answer.result)


def _order(values: dict[str, Any], before: Program | None, after: Program | None) -> None:
    relative = before if before is not None else after
    if relative is None or (before is not None and after is not None):
        raise AttachError("before= and after= were both given; a program attaches before or after one other.")
    values.update(relative_fd=relative.fileno(), expected_revision=0)


def _raw_tracepoint(lab: Lab, program: Program, name: object) -> Link:
    name = name or (program.spec.attach_to if program.spec is not None else None)
    if not isinstance(name, str):
        raise AttachError(f"{program.name!r} attaches to a raw tracepoint; given {name!r}, expected its name.")
    try:
        answer = lab.call(Command.RAW_TRACEPOINT_OPEN, name=name.encode() + b"\0", prog_fd=program.fileno())
    except SyscallError as error:
        raise AttachError(f"{program.name!r} could not be attached to the raw tracepoint {name!r}. {error}") from error
    return _owned(lab, program, answer.result)


def _owned(lab: Lab, program: Program, fd: int) -> Link:
    descriptor = Descriptor(lab.backend, fd, f"The link of {program.name!r}")
    return lab.own(Link(lab, descriptor, program))
