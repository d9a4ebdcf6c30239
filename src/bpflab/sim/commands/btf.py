"""BTF_LOAD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim import user
from bpflab.sim.btf import parse
from bpflab.sim.log import Log
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request

MAX_SIZE: Final = 16 << 20
"""BTF_MAX_SIZE (linux/btf.h)."""


def btf_load(kernel: SimKernel, request: Request) -> int:
    """Load types and return their descriptor."""
    refuse_if(request["btf_flags"])
    refuse_if(request["btf_size"] > MAX_SIZE, Errno.E2BIG)
    log = Log(request, "btf_")
    loaded = parse(kernel, user.read(request["btf"], request["btf_size"]))
    log.finish()
    return kernel.files.open(kernel.btfs.add(loaded))
