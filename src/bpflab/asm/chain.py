"""Tail-call chains: the instructions that lead from one program to the next through a prog array.

Stage i stands at index i of the prog array. Each stage keeps its context in a register that survives
calls, does its work, and goes on at the label `next`; a stage that has decided returns instead.
Whoever loads the stages puts them into the prog array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import MAX_TAIL_CALLS
from bpflab.asm.alu import mov
from bpflab.asm.calls import call
from bpflab.asm.item import label
from bpflab.asm.operand import Reg, r1, r2, r3, r6
from bpflab.asm.packet import verdict
from bpflab.asm.wide import ld_map
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpflab.asm.item import Item, Items

NEXT: Final = "next"
"""The label at which a stage goes on to the next one."""

_SURVIVORS: Final = range(6, 10)


def tail_call(prog_array: str | int, index: int | Reg, *, ctx: Reg = r6) -> Iterator[Item | Items]:
    """Go on as the program at an index of a prog array, with the context that `ctx` holds.

    Falls through to the next instruction if there is no program at the index, or after 33 tail calls.
    Clobbers r1 to r5, and r0 when it falls through. An index in a register is read last but r3.
    """
    if isinstance(index, Reg) and index.number in {r1.number, r2.number}:
        raise AssemblyError(f"tail_call(index={index}): {index} is an argument of the call; give another register")
    yield mov(r1, ctx)
    yield ld_map(r2, prog_array)
    yield mov(r3, index)
    yield call("tail_call")


def stage(
    body: Items, following: int | None, *, missing: int, prog_array: str | int = "chain", ctx: Reg = r6
) -> Iterator[Item | Items]:
    """Make a stage: keep the context, do the body, go on to the program at index `following`.

    The body starts with the context in r1 and in `ctx` (r6 to r9), which it must leave alone. It goes on
    by its end or a jump to the label `next`. The verdict `missing` is returned where no program follows.
    """
    if ctx.number not in _SURVIVORS:
        raise AssemblyError(f"stage(ctx={ctx}): a call clobbers {ctx}; give one of r6 to r9")
    yield mov(ctx, r1)
    yield body
    yield label(NEXT)
    if following is not None:
        yield tail_call(prog_array, following, ctx=ctx)
    yield verdict(missing)


def chain(
    bodies: Sequence[Items], *, missing: int, prog_array: str | int = "chain", ctx: Reg = r6
) -> list[list[Item | Items]]:
    """Make a program of each body, every one leading to the next; the last returns `missing`.

    AssemblyError for more stages than one run may tail-call.
    """
    if len(bodies) > MAX_TAIL_CALLS + 1:
        raise AssemblyError(
            f"a chain of {len(bodies)} stages needs {len(bodies) - 1} tail calls; a run may make {MAX_TAIL_CALLS}"
        )
    following = [*range(1, len(bodies)), None]
    return [
        list(stage(body, after, missing=missing, prog_array=prog_array, ctx=ctx))
        for body, after in zip(bodies, following, strict=False)
    ]
