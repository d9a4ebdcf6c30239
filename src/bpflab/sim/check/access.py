"""Loads, stores and atomics, by what the address points to (check_mem_access in kernel/bpf/verifier.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.insn import STACK_SIZE
from bpflab.abi.map_types import MapType
from bpflab.sim.check.state import Spill
from bpflab.sim.check.types import SOCKETS, Kind
from bpflab.sim.check.value import SCALAR, Value, constant, of_width

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State

WORD_SIZE: Final = 8

MAX_VARIABLE_OFFSET: Final = 1 << 29
"""What is added to a pointer must be less (BPF_MAX_VAR_OFF)."""


class Access(NamedTuple):
    """One access: through which register, at which offset from it, how wide, and what is stored.

    `stored` is None for a load. `wide` says that more than one instruction's worth of bytes is meant:
    a helper's argument.
    """

    reg: int
    off: int
    size: int
    stored: Value | None = None
    strict: bool = False

    @property
    def write(self) -> bool:
        """Whether this is a store."""
        return self.stored is not None


def access(checker: Checker, state: State, pointer: Value, wanted: Access) -> Value:
    """Check an access and give what a load yields."""
    _note_kind(checker, state, pointer)
    if pointer.nullable or pointer.kind not in _BY_KIND:
        checker.refuse(f"R{wanted.reg} invalid mem access '{pointer.type_name}'")
    _check_alignment(checker, pointer, wanted)
    return _BY_KIND[pointer.kind](checker, state, pointer, wanted)


def _note_kind(checker: Checker, state: State, pointer: Value) -> None:
    """Refuse one instruction that accesses the context on one path and something else on another.

    A context access is rewritten when the program is loaded, so it cannot be anything else.
    """
    is_context = pointer.kind is Kind.CTX
    if (state.pc in checker.plain) if is_context else (state.pc in checker.context and pointer.kind is not Kind.ANY):
        checker.refuse("same insn cannot be used with different pointers", Errno.EINVAL)
    if not is_context and pointer.kind is not Kind.ANY:
        checker.plain.add(state.pc)


def _check_alignment(checker: Checker, pointer: Value, wanted: Access) -> None:
    strict = wanted.strict or checker.subject.strict_alignment or pointer.kind is Kind.STACK
    if not strict or pointer.varies or pointer.kind in {Kind.CTX, Kind.ANY}:
        return
    if (pointer.off + wanted.off) % wanted.size:
        word = {Kind.STACK: "stack ", Kind.PACKET: "packet ", Kind.MAP_VALUE: "value "}.get(pointer.kind, "")
        checker.refuse(f"misaligned {word}access off 0+{pointer.off}+{wanted.off} size {wanted.size}")


def _anything(_checker: Checker, _state: State, _pointer: Value, wanted: Access) -> Value:
    return of_width(wanted.size)


def _context(checker: Checker, state: State, pointer: Value, wanted: Access) -> Value:
    check_unmoved(checker, pointer, wanted.reg)
    field = checker.subject.context(wanted.off, wanted.size, wanted.write)
    if field is None:
        checker.refuse(f"invalid bpf_context access off={wanted.off} size={wanted.size}")
    checker.context[state.pc] = field
    if field.kind is Kind.SCALAR:
        return of_width(wanted.size)
    return Value(field.kind, nullable=field.nullable, id=checker.new_id() if field.nullable else 0)


def check_unmoved(checker: Checker, pointer: Value, reg: int) -> None:
    """Refuse a context pointer to which something was added."""
    if pointer.varies:
        checker.refuse(f"variable {pointer.type_name} access var_off disallowed")
    if pointer.off < 0:
        checker.refuse(f"negative offset {pointer.type_name} ptr R{reg} off={pointer.off} disallowed")
    if pointer.off:
        checker.refuse(f"dereference of modified {pointer.type_name} ptr R{reg} off={pointer.off} disallowed")


def _stack(checker: Checker, state: State, pointer: Value, wanted: Access) -> Value:
    check_stack(checker, state, pointer, wanted)
    frame, off = state.frames[pointer.frame], pointer.off + wanted.off
    if wanted.stored is None:
        return SCALAR if pointer.varies else _filled(checker, frame.spills, off, wanted.size)
    _check_spill(checker, state, pointer, wanted)
    forget_stack(state, pointer, wanted)
    if not pointer.varies:
        frame.spills[off] = Spill(wanted.size, wanted.stored)
    return SCALAR


def check_stack(checker: Checker, state: State, pointer: Value, wanted: Access) -> None:
    """Refuse an access outside the 512 bytes below r10."""
    if pointer.vague:
        return
    verb, reg, size = "write to" if wanted.write else "read from", wanted.reg, wanted.size
    if pointer.high >= MAX_VARIABLE_OFFSET or pointer.low <= -MAX_VARIABLE_OFFSET:
        checker.refuse(f"invalid unbounded variable-offset {verb} stack R{reg}")
    off = pointer.off + wanted.off
    least, greatest = off + pointer.low, off + pointer.high + size
    if not -STACK_SIZE <= least < 0 or greatest > 0:
        kind = f"variable-offset {verb} stack R{reg} var_off" if pointer.varies else f"{verb} stack R{reg}"
        errno = Errno.EINVAL if -STACK_SIZE <= least < 0 else Errno.EACCES
        checker.refuse(f"invalid {kind} off={off} size={size}", errno)
    checker.uses_stack(state, pointer.frame, least)


def forget_stack(state: State, pointer: Value, wanted: Access) -> None:
    """Note that stack was overwritten, all that the pointer may point to."""
    frame, off = state.frames[pointer.frame], pointer.off + wanted.off
    if pointer.vague:
        frame.spills.clear()
    else:
        frame.forget(off + pointer.low, off + pointer.high + wanted.size)


def _check_spill(checker: Checker, state: State, pointer: Value, wanted: Access) -> None:
    stored = wanted.stored
    if stored is None or not stored.is_pointer:
        return
    if wanted.size != WORD_SIZE:
        checker.refuse("invalid size of register spill")
    if stored.kind is Kind.STACK and pointer.frame != len(state.frames) - 1:
        checker.refuse("cannot spill pointers to stack into stack frame of the caller", Errno.EINVAL)


def _filled(checker: Checker, spills: dict[int, Spill], off: int, size: int) -> Value:
    spill = spills.get(off)
    if spill is not None and spill.size == size:
        return spill.value
    start = off - off % WORD_SIZE
    held = spills.get(start)
    if held is not None and held.value.is_pointer:
        checker.refuse("invalid size of register fill")
    if spill is not None and spill.value.constant == 0 and size < spill.size:
        return constant(0)
    return of_width(size)


def _map_value(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    facts = pointer.map
    if facts is None:
        return of_width(wanted.size)
    forbidden = MapFlag.RDONLY_PROG if wanted.write else MapFlag.WRONLY_PROG
    off = pointer.off + wanted.off
    if facts.flags & forbidden:
        verb = "write into" if wanted.write else "read from"
        checker.refuse(f"{verb} map forbidden, value_size={facts.value_size} off={off} size={wanted.size}")
    text = f"invalid access to map value, value_size={facts.value_size}"
    check_region(checker, pointer, facts.value_size, wanted, text)
    if pointer.varies:
        return of_width(wanted.size)
    known = facts.frozen[off : off + wanted.size] if facts.type is MapType.ARRAY and facts.max_entries == 1 else b""
    return constant(int.from_bytes(known, checker.subject.byteorder)) if known else of_width(wanted.size)


def check_region(checker: Checker, pointer: Value, whole: int, wanted: Access, text: str) -> None:
    """Refuse an access outside memory of a known size; `text` begins the kernel's sentence."""
    off, reg = pointer.off + wanted.off, wanted.reg
    if pointer.vague:
        if off + pointer.low + wanted.size > whole:  # then no value is fine
            _check_inside(checker, off + pointer.low, whole, wanted, f"{text} off={{}} size={{}}\nR{reg} min value")
        return
    if pointer.low < 0 and off + pointer.low < 0:
        checker.refuse(f"R{reg} min value is negative, either use unsigned index or do a if (index >=0) check.")
    _check_inside(checker, off + pointer.low, whole, wanted, f"{text} off={{}} size={{}}\nR{reg} min value")
    if pointer.high >= MAX_VARIABLE_OFFSET:
        checker.refuse(f"R{reg} unbounded memory access, make sure to bounds check any such access")
    _check_inside(checker, off + pointer.high, whole, wanted, f"{text} off={{}} size={{}}\nR{reg} max value")


def _check_inside(checker: Checker, off: int, whole: int, wanted: Access, text: str) -> None:
    if off < 0 or off + wanted.size > whole:
        checker.refuse(f"{text.format(off, wanted.size)} is outside of the allowed memory range")


def _map_key(checker: Checker, _state: State, _pointer: Value, wanted: Access) -> Value:
    if wanted.write:
        checker.refuse(f"write to change key R{wanted.reg} not allowed")
    return of_width(wanted.size)


def _memory(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    if pointer.size:
        text = f"invalid access to memory, mem_size={pointer.size}"
        check_region(checker, pointer, pointer.size, wanted, text)
    return of_width(wanted.size)


def _packet(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    if wanted.write and not checker.subject.packet_writable:
        checker.refuse("cannot write into packet")
    check_packet(checker, pointer, wanted)
    return of_width(wanted.size)


def check_packet(checker: Checker, pointer: Value, wanted: Access) -> None:
    """Refuse bytes of the packet that no comparison with its end has shown to be there."""
    if pointer.range < 0:
        checker.refuse(f"R{wanted.reg} offset is outside of the packet", Errno.EINVAL)
    off = pointer.off + wanted.off
    if off < 0 or off + wanted.size > pointer.range:
        checker.refuse(
            f"invalid access to packet, off={off} size={wanted.size}, "
            f"R{wanted.reg}(id={pointer.id},off={off},r={pointer.range})\n"
            f"R{wanted.reg} offset is outside of the packet"
        )


def _socket(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    if wanted.write:
        checker.refuse(f"R{wanted.reg} cannot write into {pointer.type_name}")
    return of_width(wanted.size)


def _map_object(checker: Checker, _state: State, _pointer: Value, wanted: Access) -> Value:
    if wanted.write:
        checker.refuse("only read from bpf_map is supported")
    return SCALAR


_BY_KIND: Final[dict[Kind, Callable[[Checker, State, Value, Access], Value]]] = {
    Kind.ANY: _anything,
    Kind.CTX: _context,
    Kind.STACK: _stack,
    Kind.MAP_VALUE: _map_value,
    Kind.MAP_KEY: _map_key,
    Kind.MAP_PTR: _map_object,
    Kind.MEM: _memory,
    Kind.RINGBUF_MEM: _memory,
    Kind.PACKET: _packet,
    Kind.PACKET_META: _packet,
    Kind.BUFFER: _anything,
    Kind.BTF: _anything,
    Kind.TRUSTED_BTF: _anything,
    Kind.FLOW_KEYS: _anything,
    **dict.fromkeys(SOCKETS, _socket),
}
