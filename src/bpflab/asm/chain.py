"""Tail-call chains: the instructions that lead from one program to the next through a prog array.

Stage i stands at index i of the prog array. Each stage keeps its context in a register that survives
calls, does its work, and goes on at the label `next`; a stage that has decided returns instead.
Whoever loads the stages puts them into the prog array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import EXIT, GOTOL, JA, MAX_TAIL_CALLS
from bpflab.asm.alu import mov
from bpflab.asm.assembler import flatten
from bpflab.asm.calls import call
from bpflab.asm.insn import Insn
from bpflab.asm.item import Pending, label
from bpflab.asm.operand import Reg, r1, r2, r3, r6
from bpflab.asm.packet import verdict
from bpflab.asm.wide import ld_map
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.asm.item import Item, Items

NEXT: Final = "next"
"""The label at which a stage goes on to the next one."""

_SURVIVORS: Final = range(6, 10)


def tail_call(prog_array: str | int, index: int | Reg, *, ctx: Reg = r6) -> list[Item]:
    """Go on as the program at an index of a prog array, with the context that `ctx` holds.

    Falls through to the next instruction if there is no program at the index, or after 33 tail calls.
    Clobbers r1 to r5, and r0 when it falls through. An index in a register is read after r1 and r2 are
    written, so it cannot be one of them.
    """
    if isinstance(index, Reg) and index in {r1, r2}:
        raise AssemblyError(f"tail_call(index={index}): {index} is an argument of the call; give another register")
    address = ld_map(r2, prog_array)
    slots = address if isinstance(address, tuple) else (address,)
    return [mov(r1, ctx), *slots, mov(r3, index), call("tail_call")]


def stage(
    body: Items, following: int | None, *, missing: int, prog_array: str | int = "chain", ctx: Reg = r6
) -> list[Item]:
    """Make a stage: keep the context, do the body, go on to the program at index `following`.

    The body starts with the context in r1 and in `ctx` (r6 to r9), which it must leave alone. It goes on
    by its end or a jump to the label `next`. The verdict `missing` is returned where no program follows.
    Nothing is put behind a body that does neither, since the verifier refuses what cannot be reached.
    """
    if ctx.number not in _SURVIVORS:
        raise AssemblyError(f"stage(ctx={ctx}): a call clobbers {ctx}; give one of r6 to r9")
    own = [mov(ctx, r1), *flatten(body)]
    if not _goes_on(own):
        return own
    leave = [] if following is None else tail_call(prog_array, following, ctx=ctx)
    return [*own, label(NEXT), *leave, *verdict(missing)]


def _goes_on(items: Sequence[Item]) -> bool:
    """Whether control can reach the end of these items, or they jump to the label `next`."""
    if any(isinstance(item, Pending) and item.name == NEXT for item in items):
        return True
    last = items[-1].insn if isinstance(items[-1], Pending) else items[-1]
    return not isinstance(last, Insn) or last.opcode not in {EXIT, JA, GOTOL}


def chain(bodies: Sequence[Items], *, missing: int, prog_array: str | int = "chain", ctx: Reg = r6) -> list[list[Item]]:
    """Make a program of each body, every one leading to the next; the last returns `missing`.

    AssemblyError for more stages than one run may tail-call.
    """
    if len(bodies) > MAX_TAIL_CALLS + 1:
        raise AssemblyError(
            f"a chain of {len(bodies)} stages needs {len(bodies) - 1} tail calls; a run may make {MAX_TAIL_CALLS}"
        )
    following = [*range(1, len(bodies)), None]
    return [
        stage(body, after, missing=missing, prog_array=prog_array, ctx=ctx)
        for body, after in zip(bodies, following, strict=False)
    ]
