"""Write the answer of a CO-RE relocation into its instruction, or poison the instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.core import POISON_IMM
from bpflab.abi.insn import CALL, CLASS_MASK, INSN_SIZE, SIZE_MASK, InsnClass, Size, Source
from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolved

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.obj.core_values import Answer
    from bpflab.obj.insns import Code

_LARGEST_OFF: Final = (1 << 15) - 1
_SIZES: Final = {size.width: size for size in Size}


def poison(code: Code, slot: int) -> None:
    """Make of an instruction a call that no verifier lets pass if it can be reached."""
    for at in (slot + 1, slot) if code.is_wide(slot) else (slot,):
        code.data[at * INSN_SIZE : (at + 1) * INSN_SIZE] = bytes([CALL]) + bytes(INSN_SIZE - 1)
        code.set_imm(at, POISON_IMM)


def patch(code: Code, slot: int, local: Answer, target: Answer) -> None:
    """Write the target's answer where the local one stands; ObjectError where it stands or fits not."""
    match code.opcode(slot) & CLASS_MASK:
        case InsnClass.ALU | InsnClass.ALU64 if not code.opcode(slot) & Source.X:
            _check(local, code.imm(slot), 32)
            code.set_imm(slot, target.value)
        case InsnClass.LDX | InsnClass.ST | InsnClass.STX:
            _check(local, code.off(slot), 16)
            _patch_memory(code, slot, local, target)
        case InsnClass.LD if code.is_wide(slot) and not code.src(slot):
            _check(local, (code.imm(slot) & 0xFFFFFFFF) | code.imm(slot + 1) << 32, 64)
            code.set_imm(slot, target.value)
            code.set_imm(slot + 1, target.value >> 32)
        case _:
            raise ObjectError("a CO-RE relocation names an instruction that holds no number it could change.")


def _check(local: Answer, found: int, bits: int) -> None:
    """Refuse an instruction that does not hold what the compiler must have written."""
    mask = (1 << bits) - 1
    if local.exact and (found ^ local.value) & mask:
        raise ObjectError(f"the instruction holds {found}, and its CO-RE relocation says {local.value}.")


def _patch_memory(code: Code, slot: int, local: Answer, target: Answer) -> None:
    if target.value > _LARGEST_OFF:
        raise ObjectError(f"the field lies at byte {target.value} of the kernel's type; {_LARGEST_OFF} can be reached.")
    code.set_off(slot, target.value)
    if local.size == target.size:
        return
    opcode = code.opcode(slot)
    width = Size(opcode & SIZE_MASK).width
    if width != local.size or target.size not in _SIZES:
        raise ObjectError(
            f"the instruction moves {width} bytes of a field of {local.size}, which has {target.size} in the kernel."
        )
    code.data[slot * INSN_SIZE] = opcode & ~SIZE_MASK | _SIZES[target.size]


def can_resize(local: Btf, one: Answer, target: Btf, other: Answer) -> bool:
    """Say whether a load or store of a field stays right when the field has another size in the kernel.

    It does for pointers, which BPF reads as 64 bits, and for unsigned integers, which are extended with zeros.
    """
    if one.size == other.size:
        return True
    match resolved(local, one.type_id), resolved(target, other.type_id):
        case (t.Pointer(), t.Pointer()):
            return True
        case (t.Int() as mine, t.Int() as theirs):
            return not mine.signed and not theirs.signed
        case _:
            return False
