"""ALU and ALU64: numbers, and the little that may be done with pointers.

After check_alu_op and adjust_ptr_min_max_vals in kernel/bpf/verifier.c, for a privileged loader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.insn import ADDR_SPACE_CAST_OFF, AluOp, InsnClass, Source
from bpflab.sim.check import bounds
from bpflab.sim.check.extent import MAX_VARIABLE_OFFSET
from bpflab.sim.check.types import PACKETS, Kind
from bpflab.sim.check.value import ANY, SCALAR, SIGN, WORD, Value, bounded, constant, signed, signed_bounds

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State

SIGNS: Final = {
    AluOp.ADD: "+=",
    AluOp.SUB: "-=",
    AluOp.MUL: "*=",
    AluOp.DIV: "/=",
    AluOp.OR: "|=",
    AluOp.AND: "&=",
    AluOp.LSH: "<<=",
    AluOp.RSH: ">>=",
    AluOp.MOD: "%=",
    AluOp.XOR: "^=",
    AluOp.ARSH: "s>>=",
}
_BITWISE: Final = frozenset({AluOp.AND, AluOp.OR, AluOp.XOR})
_SHIFTS: Final = frozenset({AluOp.LSH, AluOp.RSH, AluOp.ARSH})
_DIVISIONS: Final = frozenset({AluOp.DIV, AluOp.MOD})
_ARITHMETIC_KINDS: Final = frozenset(
    {
        *(
            Kind.CTX,
            Kind.STACK,
            Kind.MAP_VALUE,
            Kind.MAP_KEY,
            Kind.PACKET,
            Kind.PACKET_META,
            Kind.BTF,
            Kind.TRUSTED_BTF,
            Kind.PERCPU,
        ),
        *(Kind.MEM, Kind.RINGBUF_MEM, Kind.BUFFER, Kind.FUNC, Kind.DYNPTR),
    }
)
"""Pointers to which a number may be added."""


def alu(checker: Checker, state: State, insn: Insn) -> int:
    """Follow one arithmetic instruction."""
    operation = AluOp(insn.operation)
    if operation in {AluOp.NEG, AluOp.END}:
        _unary(checker, state, insn, operation)
    elif operation is AluOp.MOV:
        _move(checker, state, insn)
    else:
        _binary(checker, state, insn, operation)
    return state.pc + 1


def _bits(insn: Insn) -> int:
    return 64 if insn.cls is InsnClass.ALU64 else 32


def _unary(checker: Checker, state: State, insn: Insn, operation: AluOp) -> None:
    if operation is AluOp.NEG:
        reserved = insn.src or insn.off or insn.imm
    else:
        reserved = insn.src or insn.off or insn.imm not in {16, 32, 64}
    if reserved:
        checker.refuse(f"BPF_{operation.name} uses reserved fields", Errno.EINVAL)
    value = checker.read(state, insn.dst)
    checker.writable(insn.dst)
    if operation is AluOp.NEG and value.kind is Kind.SCALAR:
        result = bounds.arithmetic(AluOp.SUB, constant(0), value, _bits(insn))
    else:
        result = bounded(0, (1 << insn.imm) - 1) if operation is AluOp.END else SCALAR
    checker.write(state, insn.dst, result)


def _move(checker: Checker, state: State, insn: Insn) -> None:
    if insn.opcode & Source.X:
        widths = {0, 8, 16, 32} if insn.cls is InsnClass.ALU64 else {0, 8, 16}
        cast = insn.off == ADDR_SPACE_CAST_OFF and insn.cls is InsnClass.ALU64
        if not cast and (insn.off not in widths or insn.imm):
            checker.refuse("BPF_MOV uses reserved fields", Errno.EINVAL)
        value = checker.read(state, insn.src)
        checker.writable(insn.dst)
        checker.write(state, insn.dst, ANY if cast else _moved(checker, state, insn, value))
        return
    if insn.src or insn.off:
        checker.refuse("BPF_MOV uses reserved fields", Errno.EINVAL)
    checker.writable(insn.dst)
    checker.write(state, insn.dst, constant(insn.imm if _bits(insn) == 64 else insn.imm & 0xFFFFFFFF))


def _moved(checker: Checker, state: State, insn: Insn, value: Value) -> Value:
    if value.kind is Kind.ANY:
        return value
    if insn.off or (_bits(insn) == 32 and value.kind is not Kind.SCALAR):
        return bounded(0, WORD if _bits(insn) == 64 else 0xFFFFFFFF)
    if _bits(insn) == 32:
        return bounds.cut(value, 32)
    if value.kind is Kind.SCALAR and value.constant is None and not value.id:
        value = value._replace(id=checker.new_id())
        state.regs[insn.src] = value  # what a comparison tells of one copy holds for the other
    return value


def _binary(checker: Checker, state: State, insn: Insn, operation: AluOp) -> None:
    if _reserved(insn, operation):
        checker.refuse("BPF_ALU uses reserved fields", Errno.EINVAL)
    second = checker.read(state, insn.src) if insn.opcode & Source.X else constant(insn.imm)
    first = checker.read(state, insn.dst)
    if not insn.opcode & Source.X:
        _check_immediate(checker, insn, operation)
    checker.writable(insn.dst)
    checker.write(state, insn.dst, _result(checker, state, insn, first, second))


def _reserved(insn: Insn, operation: AluOp) -> bool:
    bad_off = insn.off not in {0, 1} or (insn.off == 1 and operation not in _DIVISIONS)
    return bad_off or bool(insn.imm if insn.opcode & Source.X else insn.src)


def _check_immediate(checker: Checker, insn: Insn, operation: AluOp) -> None:
    if operation in _DIVISIONS and not insn.imm:
        checker.refuse("div by zero", Errno.EINVAL)
    if operation in _SHIFTS and not 0 <= insn.imm < _bits(insn):
        checker.refuse(f"invalid shift {insn.imm}", Errno.EINVAL)


def _result(checker: Checker, state: State, insn: Insn, first: Value, second: Value) -> Value:
    operation = AluOp(insn.operation)
    if Kind.ANY in {first.kind, second.kind}:
        return ANY
    if first.is_pointer and second.is_pointer:
        if operation is AluOp.SUB:
            return SCALAR
        checker.refuse(f"R{insn.dst} pointer {SIGNS[operation]} pointer prohibited")
    if first.is_pointer:
        return _moved_pointer(checker, insn, operation, first, second)
    if second.is_pointer:
        return _moved_pointer(checker, insn, operation, second, first, reversed_=True)
    if first.id and operation in {AluOp.ADD, AluOp.SUB}:
        _blur(state, first.id)
    return bounds.arithmetic(operation, first, second, _bits(insn), is_signed=insn.off == 1)


def _blur(state: State, number: int) -> None:
    """Make copies vague: a comparison of one that a constant was added to tells the kernel of the others."""
    state.replace(lambda value: value.kind is Kind.SCALAR and value.id == number, bounds.vague)


def _moved_pointer(
    checker: Checker, insn: Insn, operation: AluOp, pointer: Value, by: Value, *, reversed_: bool = False
) -> Value:
    if _bits(insn) == 32:
        if operation is AluOp.SUB:
            return SCALAR
        checker.refuse(f"R{insn.dst} 32-bit pointer arithmetic prohibited")
    _check_may_move(checker, insn, operation, pointer, by)
    _check_sane(checker, pointer, by)
    if operation is AluOp.SUB:
        _check_subtraction(checker, insn, pointer, reversed_=reversed_)
    elif operation is not AluOp.ADD:
        kind = "bitwise operator {} on pointer" if operation in _BITWISE else "pointer arithmetic with {} operator"
        checker.refuse(f"R{insn.dst} {kind.format(SIGNS[operation])} prohibited")
    return _shifted(checker, pointer, by, -1 if operation is AluOp.SUB else 1)


def _check_may_move(checker: Checker, insn: Insn, operation: AluOp, pointer: Value, by: Value) -> None:
    if pointer.nullable:
        checker.refuse(f"R{insn.dst} pointer arithmetic on {pointer.type_name} prohibited, null-check it first")
    zero = pointer.kind is Kind.MAP_PTR and by.constant == 0 and operation is AluOp.ADD
    flow_keys = pointer.kind is Kind.FLOW_KEYS and by.constant is not None
    if pointer.kind not in _ARITHMETIC_KINDS and not zero and not flow_keys:
        checker.refuse(f"R{insn.dst} pointer arithmetic on {pointer.type_name} prohibited")


def _check_subtraction(checker: Checker, insn: Insn, pointer: Value, *, reversed_: bool) -> None:
    if reversed_:
        checker.refuse(f"R{insn.dst} tried to subtract pointer from scalar")
    if pointer.kind is Kind.STACK:
        checker.refuse(f"R{insn.dst} subtraction from stack pointer prohibited")


def _check_sane(checker: Checker, pointer: Value, by: Value) -> None:
    """Refuse to add what lies out of all bounds (check_reg_sane_offset)."""
    least, kind = signed_bounds(by)[0], pointer.type_name
    if by.vague:
        return
    if by.constant is not None and abs(least) >= MAX_VARIABLE_OFFSET:
        checker.refuse(f"math between {kind} pointer and {least} is not allowed", Errno.EINVAL)
    if least == -SIGN:
        text = f"math between {kind} pointer and register with unbounded min value is not allowed"
        checker.refuse(text, Errno.EINVAL)
    if abs(least) >= MAX_VARIABLE_OFFSET:
        checker.refuse(f"value {least} makes {kind} pointer be out of bounds", Errno.EINVAL)


def _shifted(checker: Checker, pointer: Value, by: Value, sign: int) -> Value:
    """Add to a pointer. A packet pointer that moved by an unknown amount must be checked anew."""
    if by.constant is not None:
        moved = pointer._replace(off=pointer.off + sign * signed(by.constant))
    else:
        ends = [sign * end for end in signed_bounds(by)]
        low, high = pointer.low + min(ends), pointer.high + max(ends)
        moved = pointer._replace(low=low, high=high, vague=pointer.vague or by.vague)
    _check_pointer_sane(checker, moved)
    if by.constant is None and pointer.kind in PACKETS:
        return moved._replace(id=checker.new_id(), range=0)
    return moved


def _check_pointer_sane(checker: Checker, pointer: Value) -> None:
    kind = pointer.type_name
    if abs(pointer.off) >= MAX_VARIABLE_OFFSET:
        checker.refuse(f"{kind} pointer offset {pointer.off} is not allowed", Errno.EINVAL)
    if abs(pointer.low) >= MAX_VARIABLE_OFFSET and not pointer.vague:
        checker.refuse(f"value {pointer.low} makes {kind} pointer be out of bounds", Errno.EINVAL)
