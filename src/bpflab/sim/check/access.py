"""Loads, stores and atomics, by what the address points to (check_mem_access in kernel/bpf/verifier.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.insn import STACK_SIZE
from bpflab.abi.map_types import MapType
from bpflab.sim.check.state import Spill
from bpflab.sim.check.types import PACKETS, SOCKETS, Kind
from bpflab.sim.check.value import SCALAR, Value, constant, of_width

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State

WORD_SIZE: Final = 8


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
    check_bounded(checker, pointer, wanted)
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


def check_bounded(checker: Checker, pointer: Value, wanted: Access) -> None:
    """Refuse a pointer that something without bounds was added to."""
    if not pointer.unbounded or pointer.kind in PACKETS:
        return
    if pointer.kind is Kind.STACK:
        verb = "write to" if wanted.write else "read from"
        checker.refuse(f"invalid unbounded variable-offset {verb} stack R{wanted.reg}")
    if pointer.kind is not Kind.CTX:
        checker.refuse(f"R{wanted.reg} unbounded memory access, make sure to bounds check any such access")


def _check_alignment(checker: Checker, pointer: Value, wanted: Access) -> None:
    strict = wanted.strict or checker.subject.strict_alignment or pointer.kind is Kind.STACK
    if not strict or pointer.off is None or pointer.kind in {Kind.CTX, Kind.ANY}:
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
    if pointer.off is None:
        checker.refuse(f"variable {pointer.type_name} access var_off disallowed")
    if pointer.off < 0:
        checker.refuse(f"negative offset {pointer.type_name} ptr R{reg} off={pointer.off} disallowed")
    if pointer.off:
        checker.refuse(f"dereference of modified {pointer.type_name} ptr R{reg} off={pointer.off} disallowed")


def _stack(checker: Checker, state: State, pointer: Value, wanted: Access) -> Value:
    if pointer.off is None:
        if wanted.write:
            state.frames[pointer.frame].spills.clear()
        return SCALAR
    off = pointer.off + wanted.off
    check_stack(checker, state, pointer, off, wanted)
    frame = state.frames[pointer.frame]
    if wanted.stored is None:
        return _filled(checker, frame.spills, off, wanted.size)
    _check_spill(checker, state, pointer, wanted)
    frame.forget(off, off + wanted.size)
    frame.spills[off] = Spill(wanted.size, wanted.stored)
    return SCALAR


def check_stack(checker: Checker, state: State, pointer: Value, off: int, wanted: Access) -> None:
    """Refuse an access outside the 512 bytes below r10."""
    if not -STACK_SIZE <= off < 0 or off + wanted.size > 0:
        verb = "write to" if wanted.write else "read from"
        errno = Errno.EINVAL if -STACK_SIZE <= off < 0 else Errno.EACCES
        checker.refuse(f"invalid {verb} stack R{wanted.reg} off={off} size={wanted.size}", errno)
    checker.uses_stack(state, pointer.frame, off)


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
    off = None if pointer.off is None else pointer.off + wanted.off
    if facts.flags & forbidden:
        verb = "write into" if wanted.write else "read from"
        checker.refuse(f"{verb} map forbidden, value_size={facts.value_size} off={off} size={wanted.size}")
    if off is None:
        return of_width(wanted.size)
    check_bounds(checker, facts.value_size, off, wanted, f"invalid access to map value, value_size={facts.value_size}")
    known = facts.frozen[off : off + wanted.size] if facts.type is MapType.ARRAY and facts.max_entries == 1 else b""
    return constant(int.from_bytes(known, checker.subject.byteorder)) if known else of_width(wanted.size)


def check_bounds(checker: Checker, whole: int, off: int, wanted: Access, text: str) -> None:
    """Refuse an access outside memory of a known size."""
    if off < 0 or off + wanted.size > whole:
        checker.refuse(
            f"{text} off={off} size={wanted.size}\nR{wanted.reg} min value is outside of the allowed memory range"
        )


def _map_key(checker: Checker, _state: State, _pointer: Value, wanted: Access) -> Value:
    if wanted.write:
        checker.refuse(f"write to change key R{wanted.reg} not allowed")
    return of_width(wanted.size)


def _memory(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    if pointer.off is not None and pointer.size:
        off = pointer.off + wanted.off
        check_bounds(checker, pointer.size, off, wanted, f"invalid access to memory, mem_size={pointer.size}")
    return of_width(wanted.size)


def _packet(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    if wanted.write and not checker.subject.packet_writable:
        checker.refuse("cannot write into packet")
    check_packet(checker, pointer, wanted)
    return of_width(wanted.size)


def check_packet(checker: Checker, pointer: Value, wanted: Access) -> None:
    """Refuse bytes of the packet that no comparison with its end has shown to be there."""
    off = (pointer.off or 0) + wanted.off
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
