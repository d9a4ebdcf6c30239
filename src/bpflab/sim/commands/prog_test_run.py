"""PROG_TEST_RUN: a program is run on what the caller passed (net/bpf/test_run.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.sim import user
from bpflab.sim.hooks import find_hook
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.test_run import RunInput, RunnableHook

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request
    from bpflab.sim.test_run import RunOutput

LONGEST_INPUT = 1 << 24
"""Longer inputs are ENOMEM; far more than any type takes."""


def prog_test_run(kernel: SimKernel, request: Request) -> int:
    """Run a program, and write verdict, packet and context where the caller wants them."""
    refuse_if(bool(request["ctx_size_in"]) != bool(request["ctx_in"]))
    refuse_if(bool(request["ctx_size_out"]) != bool(request["ctx_out"]))
    program = kernel.find(request["prog_fd"], SimProgram)
    hook = find_hook(program.type)
    if not isinstance(hook, RunnableHook):
        raise Refusal(Errno.ENOTSUPP)
    output = hook.test_run(kernel, program, read_input(request))
    return answer(request, output)


def read_input(request: Request) -> RunInput:
    """Copy what goes in from the caller."""
    refuse_if(max(request["data_size_in"], request["ctx_size_in"]) > LONGEST_INPUT, Errno.ENOMEM)
    return RunInput(
        data=user.read(request["data_in"], request["data_size_in"]),
        ctx=user.read(request["ctx_in"], request["ctx_size_in"]) if request["ctx_in"] else None,
        repeat=request["repeat"],
        flags=request["flags"],
        cpu=request["cpu"],
        batch_size=request["batch_size"],
        wants_data=bool(request["data_out"]),
        ctx_size_out=request["ctx_size_out"],
        data_size_out=request["data_size_out"],
        duration=request["duration"],
    )


def answer(request: Request, output: RunOutput) -> int:
    """Copy what came out to the caller: as much as fits, with ENOSPC when that is not all."""
    short = _copy(request, "data", output.data)
    request.answer("retval", output.retval & 0xFFFFFFFF)
    request.answer("duration", 0)
    short = short or _copy(request, "ctx", output.ctx)
    if output.ctx_in is not None:
        user.write(request["ctx_in"], output.ctx_in)
    return -Errno.ENOSPC if short else 0


def _copy(request: Request, what: str, out: bytes | None) -> bool:
    if out is None:
        return False
    room = request[f"{what}_size_out"]
    fits = out[:room] if room else out
    if request[f"{what}_out"]:
        user.write(request[f"{what}_out"], fits)
    request.answer(f"{what}_size_out", len(out))
    return bool(request[f"{what}_out"]) and len(fits) < len(out)
