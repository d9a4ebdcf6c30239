"""Loads, stores and atomics, by what the address points to (check_mem_access in kernel/bpf/verifier.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout
from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.sim.check.extent import check_packet, check_region, check_unmoved
from bpflab.sim.check.kernel_fields import access_field
from bpflab.sim.check.sockets import access_socket
from bpflab.sim.check.stack import access_stack
from bpflab.sim.check.typed import access_per_cpu, access_typed
from bpflab.sim.check.types import SOCKETS, Kind
from bpflab.sim.check.value import SCALAR, Value, constant, of_width

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.extent import Access
    from bpflab.sim.check.state import State

FLOW_KEYS_SIZE: Final = layout("bpf_flow_keys").size


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
    return Value(field.kind, nullable=field.nullable, id=checker.new_id() if field.nullable else 0, btf=field.btf)


def _map_value(checker: Checker, state: State, pointer: Value, wanted: Access) -> Value:
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
    kept = access_field(checker, state, pointer, facts, wanted) if facts.fields else None
    if kept is not None or pointer.varies:
        return kept or of_width(wanted.size)
    known = facts.frozen[off : off + wanted.size] if facts.type is MapType.ARRAY and facts.max_entries == 1 else b""
    return constant(int.from_bytes(known, checker.subject.byteorder)) if known else of_width(wanted.size)


def _map_key(checker: Checker, _state: State, _pointer: Value, wanted: Access) -> Value:
    if wanted.write:
        checker.refuse(f"write to change key R{wanted.reg} not allowed")
    return of_width(wanted.size)


def _memory(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    if pointer.size:
        size = max(pointer.size, 0)
        check_region(checker, pointer, size, wanted, f"invalid access to memory, mem_size={size}")
    return of_width(wanted.size)


def _constant_memory(checker: Checker, state: State, pointer: Value, wanted: Access) -> Value:
    if wanted.write:
        checker.refuse(f"R{wanted.reg} cannot write into {pointer.type_name}")
    return _memory(checker, state, pointer, wanted)


def _packet(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    if wanted.write and not checker.subject.packet_writable:
        checker.refuse("cannot write into packet")
    check_packet(checker, pointer, wanted)
    return of_width(wanted.size)


def _flow_keys(checker: Checker, _state: State, pointer: Value, wanted: Access) -> Value:
    off, size = pointer.off + wanted.off, wanted.size
    if not pointer.varies and not 0 <= off <= FLOW_KEYS_SIZE - size:
        checker.refuse(f"invalid access to flow keys off={off} size={size}")
    return of_width(size)


def _map_object(checker: Checker, _state: State, _pointer: Value, wanted: Access) -> Value:
    if wanted.write:
        checker.refuse("only read from bpf_map is supported")
    return SCALAR


_BY_KIND: Final[dict[Kind, Callable[[Checker, State, Value, Access], Value]]] = {
    Kind.ANY: _anything,
    Kind.CTX: _context,
    Kind.STACK: access_stack,
    Kind.MAP_VALUE: _map_value,
    Kind.MAP_KEY: _map_key,
    Kind.MAP_PTR: _map_object,
    Kind.MEM: _memory,
    Kind.RDONLY_MEM: _constant_memory,
    Kind.RINGBUF_MEM: _memory,
    Kind.PACKET: _packet,
    Kind.PACKET_META: _packet,
    Kind.BUFFER: _anything,
    Kind.BTF: access_typed,
    Kind.TRUSTED_BTF: access_typed,
    Kind.PERCPU: access_per_cpu,
    Kind.FLOW_KEYS: _flow_keys,
    **dict.fromkeys(SOCKETS, access_socket),
}
