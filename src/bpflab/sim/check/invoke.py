"""Calls and exit: helpers, kernel functions, the program's own functions (check_helper_call, check_func_call)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.helpers import ArgumentKind, ReturnKind
from bpflab.abi.insn import CallSource
from bpflab.abi.map_types import MapType
from bpflab.abi.verifier_rules import (
    ACQUIRING_HELPERS,
    ACQUIRING_MAPS,
    ALWAYS_FOUND,
    CALLBACK_MEMORY,
    HELPERS_OF_MAP,
    MAPS_OF_HELPER,
)
from bpflab.sim.check.arguments import Call, check_arguments
from bpflab.sim.check.ends import check_callback, end_program
from bpflab.sim.check.frames import forget_arguments, open_frame, wait_for_callback
from bpflab.sim.check.kfunc import call_kfunc
from bpflab.sim.check.sections import check_helper_here, sleepable, spin_lock, spin_unlock
from bpflab.sim.check.sockets import CASTS, struct_id
from bpflab.sim.check.state import Reference
from bpflab.sim.check.typed import one_of_all
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import ANY, SCALAR, Value
from bpflab.sim.printf import check_format
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from bpflab.abi.helpers import Helper
    from bpflab.asm.insn import Insn
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State

CHANGING: Final = frozenset({"map_update_elem", "map_delete_elem", "map_push_elem", "map_pop_elem"})
_RESULTS: Final = {
    ReturnKind.ALLOC_MEM: Kind.RINGBUF_MEM,
    ReturnKind.DYNPTR_MEM: Kind.MEM,
    ReturnKind.SOCKET: Kind.SOCKET,
    ReturnKind.TCP_SOCK: Kind.TCP_SOCK,
    ReturnKind.SOCK_COMMON: Kind.SOCK_COMMON,
    ReturnKind.BTF_PTR: Kind.BTF,
    ReturnKind.KPTR: Kind.BTF,
}
_LOCKS: Final = {"spin_lock": spin_lock, "spin_unlock": spin_unlock}
_LOOKED_UP: Final = {
    MapType.SOCKMAP: Kind.SOCKET,
    MapType.SOCKHASH: Kind.SOCKET,
    MapType.XSKMAP: Kind.XDP_SOCK,
}


def call(checker: Checker, state: State, insn: Insn) -> int | None:
    """Follow one call; None where the path ends."""
    known = insn.src in set(CallSource)
    if not known or insn.dst or (insn.off and insn.src != CallSource.KFUNC):
        checker.refuse("BPF_CALL uses reserved fields", Errno.EINVAL)
    if insn.src == CallSource.SUBPROG:
        return _call_function(checker, state, state.pc + 1 + insn.imm)
    if insn.src == CallSource.KFUNC:
        return call_kfunc(checker, state)
    return _call_helper(checker, state, insn.imm)


def _call_function(checker: Checker, state: State, target: int) -> int:
    checker.calls[state.frame.start].add(target)
    if target in checker.subject.globals:
        forget_arguments(state)
        checker.write(state, 0, SCALAR)
        return state.pc + 1
    open_frame(checker, state, target)
    return target


def leave(checker: Checker, state: State, insn: Insn) -> int | None:
    """Follow exit: back to the caller, or None at the end of the program or of a callback."""
    if insn.imm or insn.src or insn.dst:
        checker.refuse("BPF_EXIT uses reserved fields", Errno.EINVAL)
    if len(state.frames) == 1:
        end_program(checker, state)
        return None
    result = state.regs[0]
    if result.kind is Kind.STACK:
        checker.refuse("cannot return stack pointer to the caller", Errno.EINVAL)
    frame = state.frames.pop()
    if frame.callback:
        check_callback(checker, frame, result)
        return None
    checker.write(state, 0, result)
    return frame.site + 1


def _call_helper(checker: Checker, state: State, number: int) -> int:
    helper = _allowed_helper(checker, state, number)
    check_helper_here(checker, state, helper.name, sleeps=helper.sleeps)
    made = Call(helper)
    check_arguments(checker, state, made)
    _check_map(checker, made)
    if helper.name == "snprintf":
        _check_format(checker, state, made)
    if helper.name == "tail_call":
        checker.tail_callers.add(state.frame.start)
    if helper.name in _LOCKS:
        _LOCKS[helper.name](checker, state)
    if made.function is not None:
        wait_for_callback(checker, state, made.function, _given_to_callback(state, helper.name))
    if made.released:
        state.release(made.released)
    if helper.changes_packet:
        state.move_packet()
    forget_arguments(state)
    result = _result(checker, state, made)
    if result is not None:
        checker.write(state, 0, result)
    return state.pc + 1


def _given_to_callback(state: State, name: str) -> list[Value]:
    """Say what a helper's callback begins with: its memory, of the caller's stack, is known with what is on it."""
    if name not in CALLBACK_MEMORY:
        return []
    given, taken = CALLBACK_MEMORY[name]
    first = SCALAR if name == "loop" else ANY
    return [first, *[ANY] * (taken - 2), state.regs[given]]


def _allowed_helper(checker: Checker, state: State, number: int) -> Helper:
    subject = checker.subject
    if number not in subject.helpers:
        checker.refuse(f"invalid func unknown#{number}", Errno.EINVAL)
    helper = subject.helpers.helper(number)
    if not subject.helper_allowed(number):
        checker.refuse(f"program of this type cannot use helper bpf_{helper.name}#{number}", Errno.EINVAL)
    if not subject.gpl and helper.needs_gpl(subject.type):
        checker.refuse("cannot call GPL-restricted function from non-GPL compatible program", Errno.EINVAL)
    if helper.sleeps and not sleepable(checker, state):
        checker.refuse("helper call might sleep in a non-sleepable prog", Errno.EINVAL)
    return helper


def _check_map(checker: Checker, made: Call) -> None:
    facts, name = made.map, made.helper.name
    if facts is None:
        return
    if facts.flags & MapFlag.RDONLY_PROG and name in CHANGING:
        checker.refuse("write into map forbidden")
    if name == "tail_call" and facts.type is not MapType.PROG_ARRAY:
        checker.refuse("expected prog array map for tail call", Errno.EINVAL)
    fits = name in HELPERS_OF_MAP.get(facts.type, {name}) and facts.type in MAPS_OF_HELPER.get(name, {facts.type})
    if not fits:
        text = f"cannot pass map_type {facts.type:d} into func bpf_{name}#{made.helper.id}"
        checker.refuse(text, Errno.EINVAL)


def _check_format(checker: Checker, state: State, made: Call) -> None:
    """Refuse a format of snprintf that its number of values does not fit (check_bpf_snprintf_call)."""
    size = state.regs[5].constant
    if made.text is None or size is None:
        return
    if size % 8:
        checker.refuse("", Errno.EINVAL)
    try:
        check_format(made.text, size // 8)
    except Refusal:
        checker.refuse("Invalid format string", Errno.EINVAL)


def _result(checker: Checker, state: State, made: Call) -> Value | None:
    """Give what r0 holds after the call; None if it is unset."""
    returns = made.helper.returns
    if returns.kind is ReturnKind.VOID:
        return None
    if returns.kind is ReturnKind.INTEGER:
        return SCALAR
    value = _pointer_result(checker, made)
    if returns.or_null and not _is_there(made):
        value = value._replace(nullable=True, id=checker.new_id())
    elif value.map is not None and value.map.res_lock is not None:
        value = value._replace(id=checker.new_id())
    if made.held and made.helper.name in CASTS:
        value = value._replace(reference=made.held)
    if returns.kind is ReturnKind.BTF_PTR:
        value = value._replace(btf=struct_id(checker.subject.kernel_types, returns.of))
    if _acquires(made):
        value = value._replace(reference=checker.new_id())
        state.references += (Reference(value.reference, state.pc),)
    return value


def _is_there(made: Call) -> bool:
    """Whether the kernel knows that a lookup finds something: a constant index within an array."""
    facts = made.map
    if facts is None or made.key is None or made.helper.name != "map_lookup_elem":
        return False
    return facts.type in ALWAYS_FOUND and made.key < facts.max_entries


def _pointer_result(checker: Checker, made: Call) -> Value:
    kind = made.helper.returns.kind
    if kind is ReturnKind.MEM_OR_BTF:
        return one_of_all(checker, made.pointee)
    if made.pointee:
        known = Kind.BTF if made.pointee < 0 else Kind.TRUSTED_BTF
        return Value(Kind.PERCPU if made.per_cpu else known, btf=made.pointee)
    if kind is not ReturnKind.MAP_VALUE:
        return Value(_RESULTS[kind], size=made.size)
    if made.map is None:
        return ANY
    if made.map.inner is not None:
        return Value(Kind.MAP_PTR, map=made.map.inner)
    return Value(_LOOKED_UP.get(made.map.type, Kind.MAP_VALUE), map=made.map)


def _acquires(made: Call) -> bool:
    if made.helper.name in ACQUIRING_HELPERS:
        return True
    looks_up = (
        made.helper.returns.kind is ReturnKind.MAP_VALUE and made.helper.arguments[1].kind is ArgumentKind.MAP_KEY
    )
    return looks_up and made.map is not None and made.map.type in ACQUIRING_MAPS
