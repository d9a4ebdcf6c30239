"""What a descriptor stands for: known from the call that gave it, or asked of the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attr_descriptors import GIVES
from bpflab.abi.attr_memory import ObjectKind
from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.info import MAP_INFO
from bpflab.abi.map_types import MapType
from bpflab.backend.attr import Attr
from bpflab.backend.journal_entry import Opened

if TYPE_CHECKING:
    from bpflab.backend.attr import AttrValue
    from bpflab.backend.base import Backend
    from bpflab.backend.journal_entry import Ask

NO_DESCRIPTOR: Final = (1 << 32) - 1

_QUESTIONS: Final = (
    (ObjectKind.PROGRAM, Command.PROG_BIND_MAP, "prog_fd", "map_fd"),
    (ObjectKind.LINK, Command.LINK_UPDATE, "link_fd", "new_prog_fd"),
)
"""Calls that do nothing, and complain of their second descriptor (EBADF) where the first is of the kind."""


def opened_by(backend: Backend, ask: Ask, fd: int) -> Opened:
    """Say what the descriptor that a call gave stands for."""
    command = Command(ask.command)
    if command is Command.MAP_CREATE:
        sizes = [int(ask.fields.get(name, 0)) for name in ("key_size", "value_size")]
        return Opened(ObjectKind.MAP, _map_type(int(ask.fields.get("map_type", 0))), *sizes)
    kind = GIVES[command] or _kind_of(backend, fd)
    return _map_of(backend, fd) if kind is ObjectKind.MAP else Opened(kind)


def still_open(opened: dict[int, Opened], closed: int) -> None:
    """Forget a descriptor that was closed."""
    opened.pop(closed, None)


def _kind_of(backend: Backend, fd: int) -> ObjectKind:
    for kind, command, first, second in _QUESTIONS:
        if _errno(backend, command, {first: fd, second: NO_DESCRIPTOR}) == Errno.EBADF:
            return kind
    return ObjectKind.MAP


def _map_of(backend: Backend, fd: int) -> Opened:
    info = bytearray(MAP_INFO.size)
    if _errno(backend, Command.OBJ_GET_INFO_BY_FD, {"bpf_fd": fd, "info_len": len(info), "info": info}):
        return Opened(ObjectKind.OTHER)
    sizes = (MAP_INFO.get(info, "key_size"), MAP_INFO.get(info, "value_size"))
    return Opened(ObjectKind.MAP, _map_type(MAP_INFO.get(info, "type")), *sizes)


def _errno(backend: Backend, command: Command, values: dict[str, AttrValue]) -> int:
    attr = Attr(command, values)
    return backend.errno() if backend.bpf(command, attr.pointer, attr.size) < 0 else 0


def _map_type(number: int) -> MapType | None:
    return MapType(number) if number in list(MapType) else None
