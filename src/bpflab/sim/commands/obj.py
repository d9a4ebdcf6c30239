"""OBJ_PIN and OBJ_GET."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import FileFlag
from bpflab.sim import user
from bpflab.sim.commands.map_create import file_mode
from bpflab.sim.links import SimLink
from bpflab.sim.maps.base import SimMap
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request

PATH_MAX: Final = 4096
PATH_FD: Final = int(FileFlag.PATH_FD)
ACCESS: Final = int(FileFlag.RDONLY | FileFlag.WRONLY)
PINNABLE: Final = (SimMap, SimProgram, SimLink)


def obj_pin(kernel: SimKernel, request: Request) -> int:
    """Give a map, program or link a path."""
    refuse_if(request["file_flags"] & ~PATH_FD)
    check_path_fd(request)
    try:
        target = kernel.files.get(request["bpf_fd"]).object
    except Refusal:
        raise Refusal(Errno.EINVAL) from None
    if not isinstance(target, PINNABLE):
        raise Refusal(Errno.EINVAL)
    kernel.bpffs.pin(_path(request), target)
    return 0


def obj_get(kernel: SimKernel, request: Request) -> int:
    """Open what is pinned at a path; the access flags count for maps."""
    flags = request["file_flags"]
    refuse_if(request["bpf_fd"] or flags & ~(ACCESS | PATH_FD))
    check_path_fd(request)
    mode = file_mode(flags)
    path = _path(request)
    return kernel.files.open(kernel.bpffs.get(path), mode)


def check_path_fd(request: Request) -> None:
    """Refuse (EINVAL) a `path_fd` without its flag; with it, it does not matter: pins have absolute paths."""
    refuse_if(request["path_fd"] and not request["file_flags"] & PATH_FD)


def _path(request: Request) -> str:
    try:
        return user.read_text(request["pathname"], PATH_MAX).decode("utf-8", "surrogateescape")
    except Refusal as refusal:
        raise Refusal(Errno.ENAMETOOLONG if refusal.errno == Errno.EINVAL else refusal.errno) from None
