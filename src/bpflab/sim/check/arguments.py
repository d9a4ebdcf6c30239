"""The arguments of helpers: what each register must hold, as the helper table says.

After check_func_arg and check_helper_mem_access in kernel/bpf/verifier.c.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.helpers import ArgumentKind
from bpflab.sim.check import extent, stack
from bpflab.sim.check.memory import check_memory
from bpflab.sim.check.on_stack import check_dynptr, make_dynptr
from bpflab.sim.check.types import PACKETS, Kind
from bpflab.sim.check.value import Value, signed_bounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.abi.helpers import Argument, Helper
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State
    from bpflab.sim.check.subject import MapFacts

MAX_SIZE: Final = 1 << 29
"""Sizes that are not constant must be less (BPF_MAX_VAR_SIZ)."""

_MEMORY: Final = (
    *(Kind.STACK, Kind.PACKET, Kind.PACKET_META, Kind.MAP_KEY, Kind.MAP_VALUE),
    *(Kind.MEM, Kind.RINGBUF_MEM, Kind.BUFFER, Kind.TRUSTED_BTF),
)
_SOCKETS: Final = (Kind.SOCK_COMMON, Kind.SOCKET, Kind.TCP_SOCK, Kind.XDP_SOCK)
_VALUE: Final = (Kind.MAP_VALUE,)
_BTF: Final = (Kind.BTF, Kind.TRUSTED_BTF)
_PER_CPU: Final = "percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_"
"""The kernel's names of the flavours of a per-CPU pointer, which are one kind here."""

EXPECTED: Final[dict[ArgumentKind, tuple[Kind, ...]]] = {
    ArgumentKind.CTX: (Kind.CTX,),
    ArgumentKind.MAP_PTR: (Kind.MAP_PTR,),
    ArgumentKind.MAP_KEY: _MEMORY,
    ArgumentKind.MAP_VALUE: _MEMORY,
    ArgumentKind.MAP_VALUE_UNINIT: _MEMORY,
    ArgumentKind.MEM_READ: _MEMORY,
    ArgumentKind.MEM_WRITE: _MEMORY,
    ArgumentKind.MEM_UNINIT: _MEMORY,
    ArgumentKind.SIZE: (Kind.SCALAR,),
    ArgumentKind.SIZE_OR_ZERO: (Kind.SCALAR,),
    ArgumentKind.ALLOC_SIZE: (Kind.SCALAR,),
    ArgumentKind.ALLOC_MEM: (Kind.RINGBUF_MEM,),
    ArgumentKind.CALLBACK: (Kind.FUNC,),
    ArgumentKind.CALLBACK_CTX: (Kind.STACK,),
    ArgumentKind.CONST_STR: _VALUE,
    ArgumentKind.DYNPTR: (Kind.STACK, Kind.DYNPTR),
    ArgumentKind.DYNPTR_UNINIT: (Kind.STACK, Kind.DYNPTR),
    ArgumentKind.SPIN_LOCK: (Kind.MAP_VALUE, Kind.BTF),
    ArgumentKind.TIMER: _VALUE,
    ArgumentKind.KPTR_DEST: (Kind.MAP_VALUE, Kind.BTF),
    ArgumentKind.SOCK_COMMON: (*_SOCKETS, *_BTF),
    ArgumentKind.SOCKET: (Kind.SOCKET, *_BTF),
    ArgumentKind.BTF_SOCK_COMMON: (*_SOCKETS, *_BTF),
    ArgumentKind.PERCPU_BTF: (Kind.PERCPU,),
}
"""The types that an argument takes, in the kernel's order. A kind that is not here takes any."""

SOCKET_ARGUMENTS: Final = frozenset({ArgumentKind.SOCK_COMMON, ArgumentKind.SOCKET, ArgumentKind.BTF_SOCK_COMMON})
_WRITTEN: Final = frozenset({ArgumentKind.MEM_WRITE, ArgumentKind.MEM_UNINIT, ArgumentKind.MAP_VALUE_UNINIT})
_SIZED_BY_MAP: Final = frozenset({ArgumentKind.MAP_KEY, ArgumentKind.MAP_VALUE, ArgumentKind.MAP_VALUE_UNINIT})
_SIZES: Final = frozenset({ArgumentKind.SIZE, ArgumentKind.SIZE_OR_ZERO})
_HELD: Final = frozenset({ArgumentKind.BTF_SOCK_COMMON, ArgumentKind.KPTR})
"""Arguments that must be held where they are released."""
_FORMERLY_CONTEXT: Final = frozenset({ArgumentKind.CTX})


@dataclass(slots=True)
class Call:
    """A call of a helper while its arguments are looked at, and what they said."""

    helper: Helper
    map: MapFacts | None = None
    size: int = 0
    released: int = 0
    function: int | None = None
    key: int | None = None
    pointee: int = 0
    per_cpu: bool = False
    text: bytes | None = None
    held: int = 0
    memory: dict[str, tuple[int, Value, bool]] = field(default_factory=dict)


def check_arguments(checker: Checker, state: State, call: Call) -> None:
    """Check r1 to r5 against the helper's arguments."""
    for reg, argument in enumerate(call.helper.arguments_in(checker.subject.type), 1):
        if argument.kind is not ArgumentKind.UNCHECKED:
            _check(checker, state, call, reg, argument)


def _check(checker: Checker, state: State, call: Call, reg: int, argument: Argument) -> None:
    value = checker.read(state, reg)
    if value.kind in PACKETS and argument.kind is not ArgumentKind.SCALAR and not call.helper.packet_memory:
        checker.refuse("helper access to the packet is not allowed")
    if argument.kind in SOCKET_ARGUMENTS and value.reference:
        call.held = value.reference
    absent = argument.or_null and value.constant == 0
    if not absent:
        _check_type(checker, reg, argument, value)
    if argument.release:
        _check_release(checker, call, reg, argument, value)
    if argument.kind in _FORMERLY_CONTEXT and value.kind is Kind.CTX:
        extent.check_unmoved(checker, value, reg)
    if argument.kind in _SIZED_BY_MAP:
        _map_memory(checker, state, call, reg, argument)
    elif argument.kind in EXPECTED and (check := _CHECKS.get(argument.kind)) is not None:
        check(checker, state, call, reg, argument)


def _check_type(checker: Checker, reg: int, argument: Argument, value: Value) -> None:
    expected = EXPECTED.get(argument.kind)
    if expected is None or value.kind is Kind.ANY:
        return
    kind = Kind.MEM if value.kind is Kind.RDONLY_MEM else value.kind
    if kind not in expected or (value.nullable and not argument.or_null):
        checker.refuse(f"R{reg} type={value.type_name} expected={_words(expected)}")


def _words(expected: tuple[Kind, ...]) -> str:
    return _PER_CPU if expected == (Kind.PERCPU,) else ", ".join(expected)


def _check_release(checker: Checker, call: Call, reg: int, argument: Argument, value: Value) -> None:
    unknown = {Kind.ANY, Kind.STACK, Kind.DYNPTR}
    if value.kind in unknown or (value.kind in _BTF and argument.kind not in _HELD):
        return
    if not value.reference and value.constant != 0:
        checker.refuse(f"R{reg} must be referenced when passed to release function", Errno.EINVAL)
    call.released = value.reference


def _map(_checker: Checker, state: State, call: Call, reg: int, _argument: Argument) -> None:
    call.map = state.regs[reg].map


def _map_memory(checker: Checker, state: State, call: Call, reg: int, argument: Argument) -> None:
    if call.map is None or state.regs[reg].constant == 0:
        return
    size = call.map.key_size if argument.kind is ArgumentKind.MAP_KEY else call.map.value_size
    if not size:
        checker.refuse("invalid zero-sized read")
    check_memory(checker, state, reg, state.regs[reg], size, write=argument.kind in _WRITTEN)
    if argument.kind is ArgumentKind.MAP_KEY:
        call.key = _constant_key(state, state.regs[reg], size)


def _constant_key(state: State, pointer: Value, size: int) -> int | None:
    """Give a key on the stack that is known, as the kernel knows it (get_constant_map_key)."""
    if pointer.kind is not Kind.STACK or pointer.varies:
        return None
    spill = state.frames[pointer.frame].spills.get(pointer.off)
    if spill is None or spill.size != size:
        return None
    number = spill.value.constant
    return number if number == 0 or pointer.off % stack.WORD_SIZE == 0 else None


def _memory(checker: Checker, state: State, call: Call, reg: int, argument: Argument) -> None:
    value, write = state.regs[reg], argument.kind in _WRITTEN
    if argument.size and value.constant != 0:
        check_memory(checker, state, reg, value, argument.size, write=write)
    call.memory[argument.name] = (reg, value, write)


def _size(checker: Checker, state: State, call: Call, reg: int, argument: Argument) -> None:
    value = state.regs[reg]
    if value.kind is Kind.ANY or value.vague:
        return
    zero_allowed = argument.kind is ArgumentKind.SIZE_OR_ZERO
    if signed_bounds(value)[0] < 0:
        checker.refuse(f"R{reg} min value is negative, either use unsigned or 'var &= const'")
    if value.low == 0 and not zero_allowed:
        checker.refuse(f"R{reg} invalid zero-sized read: u64=[{value.low},{value.high}]")
    if value.high >= MAX_SIZE:
        checker.refuse(f"R{reg} unbounded memory access, use 'var &= const' or 'if (var < const)'")
    memory_reg, pointer, write = call.memory[argument.sizes]
    if pointer.constant == 0 and value.high:
        checker.refuse(f"R{memory_reg} type={pointer.type_name} expected=fp")
    if pointer.constant != 0 and value.high:
        check_memory(checker, state, memory_reg, pointer, value.high, write=write)


def _alloc_size(checker: Checker, state: State, call: Call, reg: int, _argument: Argument) -> None:
    size = state.regs[reg].constant
    if size is None:
        if state.regs[reg].kind is not Kind.ANY:
            checker.refuse(f"R{reg} is not a known constant'")
        return
    call.size = size


def _callback(_checker: Checker, state: State, call: Call, reg: int, _argument: Argument) -> None:
    if state.regs[reg].kind is Kind.FUNC:
        call.function = state.regs[reg].off


def _constant_text(checker: Checker, state: State, call: Call, reg: int, _argument: Argument) -> None:
    """Take a text out of a read-only map (check_reg_const_str)."""
    value = state.regs[reg]
    facts = value.map
    if facts is None:
        return
    if not facts.flags & MapFlag.RDONLY_PROG:
        checker.refuse(f"R{reg} does not point to a readonly map'")
    if value.varies:
        checker.refuse(f"R{reg} is not a constant address'")
    text, zero, _ = facts.frozen[value.off : facts.value_size].partition(b"\0")
    if facts.frozen and not zero:
        checker.refuse("string is not zero-terminated", Errno.EINVAL)
    call.text = text if facts.frozen else None


def _dynptr(checker: Checker, state: State, _call: Call, reg: int, _argument: Argument) -> None:
    check_dynptr(checker, state, reg)


def _new_dynptr(checker: Checker, state: State, _call: Call, reg: int, _argument: Argument) -> None:
    make_dynptr(checker, state, reg)


def _pointer_place(checker: Checker, state: State, call: Call, reg: int, _argument: Argument) -> None:
    """Find the type of the pointer in a map's value that is to be exchanged (process_kptr_func)."""
    value = state.regs[reg]
    if value.map is None or not value.map.value_type:
        return
    if value.varies:
        checker.refuse(f"R{reg} doesn't have constant offset. kptr has to be at the constant offset", Errno.EINVAL)
    found = dict(value.map.pointers).get(value.off)
    if found is None:
        checker.refuse(f"off={value.off} doesn't point to kptr", Errno.EACCES)
    call.pointee = found
    call.per_cpu = value.off in value.map.per_cpu


def _per_cpu(checker: Checker, state: State, call: Call, reg: int, _argument: Argument) -> None:
    """Take what each CPU has its own of, where it begins; an object only while a map owns it."""
    value = state.regs[reg]
    if value.kind is Kind.ANY:
        return
    if value.reference:
        checker.refuse(f"R{reg} type={value.type_name} expected={_PER_CPU}")
    extent.check_unmoved(checker, value, reg)
    call.pointee = value.btf


_CHECKS: Final[dict[ArgumentKind, Callable[[Checker, State, Call, int, Argument], None]]] = {
    ArgumentKind.MAP_PTR: _map,
    ArgumentKind.MEM_READ: _memory,
    ArgumentKind.MEM_WRITE: _memory,
    ArgumentKind.MEM_UNINIT: _memory,
    ArgumentKind.SIZE: _size,
    ArgumentKind.SIZE_OR_ZERO: _size,
    ArgumentKind.ALLOC_SIZE: _alloc_size,
    ArgumentKind.CALLBACK: _callback,
    ArgumentKind.CONST_STR: _constant_text,
    ArgumentKind.DYNPTR: _dynptr,
    ArgumentKind.KPTR_DEST: _pointer_place,
    ArgumentKind.DYNPTR_UNINIT: _new_dynptr,
    ArgumentKind.PERCPU_BTF: _per_cpu,
}
