"""The links of a kernel: what holds programs to their hooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.info import LINK_INFO
from bpflab.errors import SyscallError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.backend.call import Caller


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """A link: its number, its kind (`LinkType`, or a number that is newer), and the program that it holds."""

    id: int
    type: int
    prog_id: int


def all_links(call: Caller) -> Iterator[LinkInfo]:
    """Yield every link of the kernel; one that goes away meanwhile is left out."""
    number = 0
    while (number := _after(call, number)) > 0:
        try:
            fd = call(Command.LINK_GET_FD_BY_ID, link_id=number).result
        except SyscallError as error:
            if error.errno != Errno.ENOENT:
                raise
            continue
        try:
            yield link_info(call, fd)
        finally:
            call.backend.close(fd)


def link_info(call: Caller, fd: int) -> LinkInfo:
    """Ask for the facts of the link behind a descriptor."""
    buffer = bytearray(LINK_INFO.size)
    call(Command.OBJ_GET_INFO_BY_FD, bpf_fd=fd, info_len=len(buffer), info=buffer)
    return LinkInfo(LINK_INFO.get(buffer, "id"), LINK_INFO.get(buffer, "type"), LINK_INFO.get(buffer, "prog_id"))


def _after(call: Caller, number: int) -> int:
    try:
        return call(Command.LINK_GET_NEXT_ID, start_id=number).attr["next_id"]
    except SyscallError as error:
        if error.errno != Errno.ENOENT:
            raise
        return 0
