"""Commands whose objects the simulated kernel does not have: ITER_CREATE, TOKEN_CREATE. Always refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim.links import SimLink
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request


def iter_create(kernel: SimKernel, request: Request) -> int:
    """Refuse: no link is an iterator's. EBADF, EINVAL."""
    refuse_if(request["flags"])
    kernel.find(request["link_fd"], SimLink)
    raise Refusal(Errno.EINVAL)


def token_create(kernel: SimKernel, request: Request) -> int:
    """Refuse: no descriptor is a BPF file system's root. EBADF, EINVAL."""
    refuse_if(request["flags"])
    kernel.files.get(request["bpffs_fd"])
    raise Refusal(Errno.EINVAL)
