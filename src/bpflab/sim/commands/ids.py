"""Objects by id: *_GET_NEXT_ID and *_GET_FD_BY_ID."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.flags import FileFlag
from bpflab.sim.commands.map_create import file_mode
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.objects import IdTable
    from bpflab.sim.request import Request

INT_MAX: Final = (1 << 31) - 1
ACCESS: Final = int(FileFlag.RDONLY | FileFlag.WRONLY)


def map_get_next_id(kernel: SimKernel, request: Request) -> int:
    """Answer the id of the next map."""
    return _next_id(kernel.maps, request)


def prog_get_next_id(kernel: SimKernel, request: Request) -> int:
    """Answer the id of the next program."""
    return _next_id(kernel.programs, request)


def btf_get_next_id(kernel: SimKernel, request: Request) -> int:
    """Answer the id of the next BTF object."""
    return _next_id(kernel.btfs, request)


def link_get_next_id(kernel: SimKernel, request: Request) -> int:
    """Answer the id of the next link."""
    return _next_id(kernel.links, request)


def map_get_fd_by_id(kernel: SimKernel, request: Request) -> int:
    """Open a map, for reading or writing only if `open_flags` says so."""
    flags = request["open_flags"]
    refuse_if(request["fd_by_id_token_fd"] or flags & ~ACCESS)
    mode = file_mode(flags)
    target = kernel.maps.get(request["map_id"])
    target.get()
    return kernel.files.open(target, mode)


def prog_get_fd_by_id(kernel: SimKernel, request: Request) -> int:
    """Open a program."""
    refuse_if(request["next_id"] or request["fd_by_id_token_fd"])
    return _open(kernel, kernel.programs, request)


def btf_get_fd_by_id(kernel: SimKernel, request: Request) -> int:
    """Open a BTF object."""
    return _open(kernel, kernel.btfs, request)


def link_get_fd_by_id(kernel: SimKernel, request: Request) -> int:
    """Open a link."""
    refuse_if(request["next_id"] or request["fd_by_id_token_fd"])
    return _open(kernel, kernel.links, request)


def _open(kernel: SimKernel, table: IdTable[Any], request: Request) -> int:
    refuse_if(request["open_flags"])
    target = table.get(request["start_id"])
    target.get()
    return kernel.files.open(target)


def _next_id(table: IdTable[Any], request: Request) -> int:
    start = request["start_id"]
    refuse_if(start >= INT_MAX or request["open_flags"] or request["fd_by_id_token_fd"])
    request.answer("next_id", table.after(start))
    return 0
