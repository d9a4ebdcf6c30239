"""PROG_STREAM_READ_BY_FD."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim import user
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request


def prog_stream_read_by_fd(kernel: SimKernel, request: Request) -> int:
    """Move what a program wrote to one of its streams to the caller; returns the number of bytes. ENOENT."""
    program = kernel.find(request["prog_fd"], SimProgram)
    stream, room = request["stream_id"], request["stream_buf_len"]
    refuse_if(stream not in program.streams, Errno.ENOENT)
    text = bytes(program.streams[stream][:room])
    user.write(request["stream_buf"], text)
    del program.streams[stream][: len(text)]
    return len(text)
