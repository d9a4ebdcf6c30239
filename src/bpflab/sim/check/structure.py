"""The form of a program: its functions, where jumps lead, and what can be reached at all.

In the order in which the kernel looks (kernel/bpf/verifier.c: add_subprog_and_kfunc, check_subprogs,
resolve_pseudo_ldimm64, check_cfg), before any value is considered.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.insn import CALL, EXIT, GOTOL, JA, MODE_MASK, OPCODES, CallSource, InsnClass, JmpOp, Mode, WideSource
from bpflab.sim.check.subject import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpflab.asm.insn import Insn

_JUMPS: Final = frozenset({InsnClass.JMP, InsnClass.JMP32})
TAIL_CALL: Final = 12
"""The id of the helper tail_call (linux/bpf.h)."""
_ENDS: Final = frozenset({EXIT, JA, GOTOL})


@dataclass(frozen=True, slots=True)
class Structure:
    """A well-formed program: its functions' first slots, the callbacks among them, and jump targets."""

    starts: tuple[int, ...]
    targets: frozenset[int]


def examine(insns: Sequence[Insn], *, func_info: bool, entry: int = 0) -> Structure:
    """Find functions and targets. Raises `Refused` for a program of no valid form.

    Without `func_info`, BTF for its functions, some of them may not do everything. `entry` is the start of a function
    that nothing calls, the exception callback.
    """
    starts = _functions(insns, entry)
    _check_jumps(insns, starts)
    if not func_info and len(starts) > 1:
        _check_plain_functions(insns, starts[1])
    _check_forms(insns)
    _check_reach(insns, entry)
    return Structure(starts, frozenset(target for slot in _slots(insns) for target in jump_targets(insns, slot)))


def is_jump(insn: Insn) -> bool:
    """Tell whether an instruction may go elsewhere in its function: neither call nor exit."""
    return insn.cls in _JUMPS and insn.operation not in {JmpOp.CALL, JmpOp.EXIT}


def jump_targets(insns: Sequence[Insn], slot: int) -> tuple[int, ...]:
    """Give the slot a jump leads to, other than the next; nothing for what is no jump."""
    insn = insns[slot]
    if not is_jump(insn):
        return ()
    return (slot + 1 + (insn.imm if insn.opcode == GOTOL else insn.off),)


def successors(insns: Sequence[Insn], slot: int) -> tuple[int, ...]:
    """Give the slots that may follow within the function, the called ones left out."""
    insn = insns[slot]
    if insn.opcode == EXIT:
        return ()
    if insn.opcode in {JA, GOTOL}:
        return jump_targets(insns, slot)
    return (slot + (2 if insn.is_wide else 1), *jump_targets(insns, slot))


def called(insns: Sequence[Insn], slot: int) -> int | None:
    """Give the first slot of the function that an instruction calls or takes the address of."""
    insn = insns[slot]
    call = insn.opcode == CALL and insn.src == CallSource.SUBPROG
    address = insn.is_wide and insn.src == WideSource.FUNC
    return slot + 1 + insn.imm if call or address else None


def _slots(insns: Sequence[Insn]) -> Iterator[int]:
    """Yield the slots at which an instruction begins."""
    slot = 0
    while slot < len(insns):
        yield slot
        slot += 2 if insns[slot].is_wide else 1


def _functions(insns: Sequence[Insn], entry: int) -> tuple[int, ...]:
    starts = {0, entry}
    for slot in range(len(insns)):
        target = called(insns, slot)
        if target is not None:
            if not 0 <= target < len(insns):
                raise Refused(Errno.EINVAL, "call to invalid destination\n", slot)
            starts.add(target)
    return tuple(sorted(starts))


def _check_jumps(insns: Sequence[Insn], starts: Sequence[int]) -> None:
    for start, end in pairwise((*starts, len(insns))):
        for slot in range(start, end):
            for target in jump_targets(insns, slot):
                if not start <= target < end:
                    raise Refused(Errno.EINVAL, f"jump out of range from insn {slot} to {target}\n", slot)
        if insns[end - 1].opcode not in _ENDS:
            raise Refused(Errno.EINVAL, "last insn is not an exit or jmp\n", end - 1)


def _check_plain_functions(insns: Sequence[Insn], first: int) -> None:
    """Refuse what functions that are not described by BTF may not do (check_abnormal_return)."""
    for slot in range(first, len(insns)):
        insn = insns[slot]
        if insn.cls is InsnClass.LD and insn.opcode & MODE_MASK in {Mode.ABS, Mode.IND}:
            raise Refused(Errno.EINVAL, "LD_ABS is not allowed in subprogs without BTF\n", slot)
        if insn.opcode == CALL and insn.src == CallSource.HELPER and insn.imm == TAIL_CALL:
            raise Refused(Errno.EINVAL, "tail_call is not allowed in subprogs without BTF\n", slot)


def _check_forms(insns: Sequence[Insn]) -> None:
    for slot in _slots(insns):
        problem = _form_problem(insns, slot)
        if problem:
            raise Refused(Errno.EINVAL, f"{problem}\n", slot)


def _form_problem(insns: Sequence[Insn], slot: int) -> str:
    insn = insns[slot]
    if insn.cls is InsnClass.LDX and (insn.opcode & MODE_MASK not in {Mode.MEM, Mode.MEMSX} or insn.imm):
        return "BPF_LDX uses reserved fields"
    if insn.is_wide:
        return _wide_problem(insn, insns[slot + 1] if slot + 1 < len(insns) else None)
    return "" if insn.opcode in OPCODES else f"unknown opcode {insn.opcode:02x}"


def _wide_problem(first: Insn, second: Insn | None) -> str:
    if second is None or second.opcode or second.dst or second.src or second.off:
        return "invalid bpf_ld_imm64 insn"
    return "" if first.src in set(WideSource) else "unrecognized bpf_ld_imm64 insn"


def _check_reach(insns: Sequence[Insn], entry: int) -> None:
    reached, waiting = set(), [0, entry]
    while waiting:
        slot = waiting.pop()
        if slot in reached:
            continue
        reached.add(slot)
        waiting += successors(insns, slot)
        target = called(insns, slot)
        waiting += [] if target is None else [target]
    for slot in _slots(insns):
        if slot not in reached:
            raise Refused(Errno.EINVAL, f"unreachable insn {slot}\n", slot)
        if insns[slot].is_wide and slot + 1 in reached:
            raise Refused(Errno.EINVAL, f"jump into the middle of ldimm64 insn {slot}\n", slot)
