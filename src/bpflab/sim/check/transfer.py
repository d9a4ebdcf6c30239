"""Instructions that move data: loads, stores, atomics, 64-bit immediates, packet loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.insn import MODE_MASK, SIZE_MASK, AtomicOp, Mode, Size, WideSource
from bpflab.abi.verifier_rules import PACKET_LOAD_TYPES
from bpflab.asm.insn import imm64
from bpflab.sim.check.access import access
from bpflab.sim.check.extent import Access
from bpflab.sim.check.types import PACKETS, SOCKETS, Kind
from bpflab.sim.check.value import ANY, NO_BYTES, SCALAR, UNSET, Value, constant, of_width

if TYPE_CHECKING:
    from bpflab.asm.insn import Insn
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State
    from bpflab.sim.check.subject import SymbolFacts

ATOMIC_OPS: Final = frozenset(AtomicOp)
_ORDERED: Final = frozenset({AtomicOp.LOAD_ACQ, AtomicOp.STORE_REL})
_NO_ATOMICS: Final = frozenset({Kind.CTX, Kind.FLOW_KEYS, *PACKETS, *SOCKETS})
"""What the kernel lets no atomic change (atomic_ptr_type_ok)."""


def load(checker: Checker, state: State, insn: Insn) -> int:
    """Follow LDX."""
    pointer = checker.read(state, insn.src)
    checker.writable(insn.dst)
    size = _size(insn)
    value = access(checker, state, pointer, Access(insn.src, insn.off, size))
    signed = insn.opcode & MODE_MASK == Mode.MEMSX
    if signed and pointer.kind is Kind.CTX and value.kind is not Kind.SCALAR:
        checker.refuse(f"invalid bpf_context access off={insn.off} size={size}")
    checker.write(state, insn.dst, SCALAR if signed and value.kind is not Kind.ANY else value)
    return state.pc + 1


def store(checker: Checker, state: State, insn: Insn) -> int:
    """Follow ST."""
    if insn.src:
        checker.refuse("BPF_ST uses reserved fields", Errno.EINVAL)
    pointer = checker.read(state, insn.dst)
    stored = constant(insn.imm & ((1 << 8 * _size(insn)) - 1)) if _size(insn) < 8 else constant(insn.imm)
    access(checker, state, pointer, Access(insn.dst, insn.off, _size(insn), stored))
    return state.pc + 1


def store_register(checker: Checker, state: State, insn: Insn) -> int:
    """Follow STX, atomics included."""
    if insn.opcode & MODE_MASK == Mode.ATOMIC:
        _atomic(checker, state, insn)
        return state.pc + 1
    if insn.imm:
        checker.refuse("BPF_STX uses reserved fields", Errno.EINVAL)
    stored = checker.read(state, insn.src)
    pointer = checker.read(state, insn.dst)
    access(checker, state, pointer, Access(insn.dst, insn.off, _size(insn), _narrowed(stored, _size(insn))))
    return state.pc + 1


def _size(insn: Insn) -> int:
    return Size(insn.opcode & SIZE_MASK).width


def _narrowed(value: Value, size: int) -> Value:
    """Give what memory holds after the low bytes of a register were stored."""
    if value.kind is not Kind.SCALAR or value.high < 1 << 8 * size:
        return value
    return value if size == 8 else of_width(size)


def _atomic(checker: Checker, state: State, insn: Insn) -> None:
    if insn.imm not in ATOMIC_OPS:
        checker.refuse(f"BPF_ATOMIC uses invalid atomic opcode {insn.imm & 0xFF:02x}", Errno.EINVAL)
    size = _size(insn)
    if size < 4 and insn.imm not in _ORDERED:
        checker.refuse("invalid atomic operand size", Errno.EINVAL)
    if insn.imm == AtomicOp.LOAD_ACQ:
        _load_acquire(checker, state, insn)
        return
    checker.read(state, insn.src)
    pointer = checker.read(state, insn.dst)
    if insn.imm == AtomicOp.CMPXCHG:
        checker.read(state, 0)
    _check_atomic_target(checker, insn.dst, pointer)
    old = access(checker, state, pointer, Access(insn.dst, insn.off, size, strict=True))
    access(checker, state, pointer, Access(insn.dst, insn.off, size, of_width(size), strict=True))
    if insn.imm == AtomicOp.CMPXCHG:
        checker.write(state, 0, _loaded(old, size))
    elif insn.imm & AtomicOp.FETCH_ADD:
        checker.writable(insn.src)
        checker.write(state, insn.src, _loaded(old, size))


def _loaded(value: Value, size: int) -> Value:
    return value if value.kind is Kind.ANY else of_width(size)


def _load_acquire(checker: Checker, state: State, insn: Insn) -> None:
    pointer = checker.read(state, insn.src)
    checker.writable(insn.dst)
    _check_atomic_target(checker, insn.src, pointer, "loads from")
    checker.write(
        state, insn.dst, access(checker, state, pointer, Access(insn.src, insn.off, _size(insn), strict=True))
    )


def _check_atomic_target(checker: Checker, reg: int, pointer: Value, verb: str = "stores into") -> None:
    if pointer.kind in _NO_ATOMICS:
        checker.refuse(f"BPF_ATOMIC {verb} R{reg} {pointer.type_name} is not allowed")


def wide_or_packet(checker: Checker, state: State, insn: Insn) -> int:
    """Follow LD: a 64-bit immediate, or a load from the packet by LD_ABS and LD_IND."""
    if not insn.is_wide:
        return _packet_load(checker, state, insn)
    if insn.off:
        checker.refuse("BPF_LD_IMM64 uses reserved fields", Errno.EINVAL)
    checker.writable(insn.dst)
    checker.write(state, insn.dst, _immediate(checker, state, insn))
    return state.pc + 2


def _immediate(checker: Checker, state: State, insn: Insn) -> Value:
    reference = checker.subject.maps.get(state.pc)
    if reference is not None:
        kind = Kind.MAP_PTR if reference.offset is None else Kind.MAP_VALUE
        return Value(kind, off=reference.offset or 0, map=reference.map)
    if insn.src == WideSource.IMM:
        return constant(imm64(insn, checker.subject.insns[state.pc + 1]))
    if insn.src == WideSource.FUNC:
        if not checker.subject.func_info:
            checker.refuse("missing btf func_info", Errno.EINVAL)
        return Value(Kind.FUNC, off=state.pc + 1 + insn.imm)
    return _symbol(checker.subject.symbols.get(state.pc))


def _symbol(facts: SymbolFacts | None) -> Value:
    if facts is None:
        return ANY
    if facts.per_cpu:
        return Value(Kind.PERCPU, btf=facts.type_id)
    if facts.is_struct:
        return Value(Kind.BTF, btf=facts.type_id)
    return Value(Kind.RDONLY_MEM, size=facts.size or NO_BYTES)


def _packet_load(checker: Checker, state: State, insn: Insn) -> int:
    if checker.subject.type not in PACKET_LOAD_TYPES:
        checker.refuse("BPF_LD_[ABS|IND] instructions not allowed for this program type", Errno.EINVAL)
    indirect = insn.opcode & MODE_MASK == Mode.IND
    if insn.dst or insn.off or (insn.src and not indirect):
        checker.refuse("BPF_LD_[ABS|IND] uses reserved fields", Errno.EINVAL)
    context = checker.read(state, 6)
    if context.kind not in {Kind.CTX, Kind.ANY}:
        checker.refuse("at the time of BPF_LD_ABS|IND R6 != pointer to skb", Errno.EINVAL)
    if indirect:
        checker.read(state, insn.src)
    state.regs[1:6] = [UNSET] * 5
    checker.write(state, 0, of_width(_size(insn)))
    return state.pc + 1
