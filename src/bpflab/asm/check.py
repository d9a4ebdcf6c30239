"""A light look at calls of helpers: whether the program may make them, and set the arguments.

It walks the instructions once, in order. A call clears r1 to r5; from there on a register counts as
set when an instruction writes it. Where control can come from elsewhere (a jump's target, what stands
behind a jump or exit) every register counts as set: what is reported is wrong, what is not may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from bpflab.abi.insn import (
    CALL,
    EXIT,
    GOTOL,
    GOTOX,
    JA,
    LD_IMM64,
    MAX_ARGUMENTS,
    AtomicOp,
    CallSource,
    InsnClass,
    Mode,
    Size,
)
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import is_subprogram_reference
from bpflab.asm.jump import jump_distance
from bpflab.errors import UnknownHelperError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from bpflab.abi.helper_model import Argument, Helper
    from bpflab.asm.insn import Insn

Blame: TypeAlias = "Callable[[int, str], NoReturn]"
"""Raises AssemblyError about the instruction at a slot, and says why."""

_ARGUMENTS: Final = sum(1 << number for number in range(1, MAX_ARGUMENTS + 1))
_FIRST: Final = 1 << 1
_WRITES_DST: Final = frozenset({InsnClass.LDX, InsnClass.ALU, InsnClass.ALU64})
_LEAVES: Final = frozenset({EXIT, JA, GOTOL, GOTOX})
_ATOMICS: Final = frozenset(InsnClass.STX | Mode.ATOMIC | size for size in Size)
_SKB_LOADS: Final = frozenset(InsnClass.LD | mode | size for mode in (Mode.ABS, Mode.IND) for size in Size)
_ANY_PROGRAM: Final = frozenset({ProgType.UNSPEC, ProgType.EXT})
"""EXT may call what the program that it replaces may call; that is not known here."""


def check_calls(insns: Sequence[Insn], prog_type: ProgType | None, blame: Blame) -> None:
    """Check every call of a helper; `blame` is called for the first that is wrong."""
    known = None if prog_type in _ANY_PROGRAM else prog_type
    entries = _entries(insns)
    unset = 0 if prog_type is ProgType.EXT else _ARGUMENTS & ~_FIRST
    for slot, insn in enumerate(insns):
        if slot in entries:
            unset = 0
        if insn.opcode == CALL and insn.src == CallSource.HELPER:
            _check_call(slot, insn.imm, unset, known, blame)
        unset = _after(insn, unset)


def _entries(insns: Sequence[Insn]) -> set[int]:
    """Find the slots that control can reach from elsewhere than the slot before."""
    entries = set()
    for slot, insn in enumerate(insns):
        skip = jump_distance(insn)
        if skip is None and is_subprogram_reference(insn):
            skip = insn.imm
        if skip is not None:
            entries.add(slot + 1 + skip)
    return entries


def _after(insn: Insn, unset: int) -> int:
    """Return the argument registers that are not set behind an instruction, as bits."""
    opcode = insn.opcode
    if opcode & 7 in _WRITES_DST or opcode == LD_IMM64:
        return unset & ~(1 << insn.dst)
    if opcode == CALL or opcode in _SKB_LOADS:
        return _ARGUMENTS
    if opcode in _LEAVES:
        return 0
    return unset & ~_atomic_result(insn) if opcode in _ATOMICS else unset


def _atomic_result(insn: Insn) -> int:
    if insn.imm == AtomicOp.LOAD_ACQ:
        return 1 << insn.dst
    fetches = insn.imm & AtomicOp.FETCH_ADD and insn.imm != AtomicOp.CMPXCHG
    return 1 << insn.src if fetches else 0


def _check_call(slot: int, helper_id: int, unset: int, prog_type: ProgType | None, blame: Blame) -> None:
    from bpflab.abi.helpers import helper

    try:
        found = helper(helper_id)
    except UnknownHelperError:
        return  # a newer kernel may have it
    if prog_type is not None and not found.allowed_in(prog_type):
        blame(slot, f"a program of type {prog_type.name} may not call {_named(found)}; {_allowed(found)}")
    arguments = found.arguments if prog_type is None else found.arguments_in(prog_type)
    missing = [number for number in _needed(arguments) if unset >> number & 1]
    if missing:
        blame(slot, _missing(found, arguments, missing))


def _needed(arguments: Sequence[Argument]) -> list[int]:
    from bpflab.abi.helper_model import ArgumentKind

    free = {ArgumentKind.UNCHECKED, ArgumentKind.ABSENT}
    return [number for number, argument in enumerate(arguments, 1) if argument.kind not in free]


def _missing(called: Helper, arguments: Sequence[Argument], missing: Sequence[int]) -> str:
    takes = ", ".join(f"r{number} = {argument.name}" for number, argument in enumerate(arguments, 1))
    unset = " and ".join(f"r{number}" for number in missing)
    verb = "is" if len(missing) == 1 else "are"
    return f"{_named(called)} takes {takes}, but {unset} {verb} not set since the last call or the start"


def _named(called: Helper) -> str:
    from bpflab.asm.disassembler import helper_text

    return helper_text(called.id)


def _allowed(helper: Helper) -> str:
    names = sorted(allowed.name for allowed in helper.programs)
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"it is for {shown}"
