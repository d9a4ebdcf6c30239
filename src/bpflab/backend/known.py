"""What a map or program behind a descriptor is, as far as it takes to read an attr: its name and its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bpflab.abi.commands import Command
from bpflab.abi.info import MAP_INFO, PROG_INFO
from bpflab.abi.map_rules import RULES
from bpflab.abi.map_types import MapType
from bpflab.backend.attr import Attr
from bpflab.backend.base import Wrapping

if TYPE_CHECKING:
    from bpflab.abi.layout import Layout, Value
    from bpflab.backend.base import Backend


@dataclass(frozen=True, slots=True)
class KnownMap:
    """A map: its name, and the bytes of a key and of a value as the system call moves them (of all CPUs)."""

    name: str
    key_size: int
    value_size: int


@runtime_checkable
class Knowing(Protocol):
    """A backend that can say what a descriptor is without a call of bpf(2)."""

    def known_map(self, fd: int) -> KnownMap | None:
        """Return the map behind a descriptor; None when it is none."""

    def known_program(self, fd: int) -> str | None:
        """Return the name of the program behind a descriptor; None when it is none."""


def known_map(backend: Backend, fd: int) -> KnownMap | None:
    """Return what the map behind a descriptor is, by asking the backend; None when it is no map."""
    if isinstance(backend, Knowing):
        return backend.known_map(fd)
    if isinstance(backend, Wrapping):
        return known_map(backend.inner, fd)
    info = _info(backend, fd, MAP_INFO)
    return None if info is None else map_of(info, backend.possible_cpus)


def known_program(backend: Backend, fd: int) -> str | None:
    """Return the name of the program behind a descriptor, by asking the backend; None when it is no program."""
    if isinstance(backend, Knowing):
        return backend.known_program(fd)
    if isinstance(backend, Wrapping):
        return known_program(backend.inner, fd)
    info = _info(backend, fd, PROG_INFO)
    return None if info is None else text(info["name"])


def map_of(info: dict[str, Value], cpus: int) -> KnownMap:
    """Read a KnownMap from the fields of `bpf_map_info`."""
    kind, key_size, size = int(info["type"]), int(info["key_size"]), int(info["value_size"])
    per_cpu = kind in RULES and RULES[MapType(kind)].per_cpu
    return KnownMap(text(info["name"]), key_size, (size + -size % 8) * cpus if per_cpu else size)


def text(value: object) -> str:
    """Return the text of a field that is filled up with zero bytes."""
    return value.rstrip(b"\0").decode(errors="replace") if isinstance(value, bytes) else str(value)


def _info(backend: Backend, fd: int, layout: Layout) -> dict[str, Value] | None:
    buffer = bytearray(layout.size)
    attr = Attr(Command.OBJ_GET_INFO_BY_FD, {"bpf_fd": fd, "info_len": len(buffer), "info": buffer})
    if backend.bpf(Command.OBJ_GET_INFO_BY_FD, attr.pointer, attr.size) < 0:
        return None
    return layout.unpack(bytes(buffer))
