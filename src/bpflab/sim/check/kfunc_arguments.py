"""The arguments of kernel functions, by types and by the endings of their names (Documentation/bpf/kfuncs.rst)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.kfuncs import KfuncFlag
from bpflab.abi.map_fields import FIELDS
from bpflab.errors import BtfError
from bpflab.obj.btf_layout import resolved, size_of
from bpflab.obj.btf_types import Composite, Pointer
from bpflab.sim.check.kernel_fields import check_field
from bpflab.sim.check.memory import check_memory
from bpflab.sim.check.on_stack import ITERATES, Behind, check_dynptr, make_dynptr
from bpflab.sim.check.types import Kind

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.obj.btf_types import Parameter
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State
    from bpflab.sim.check.subject import KfuncFacts
    from bpflab.sim.check.value import Value

NULLABLE: Final = ("__nullable", "__opt")
IGNORED: Final = ("__ign", "__irq_flag", "__prog")
"""Endings of parameters that are not looked at, or that the call's own rule looks at."""
CONSTANT: Final = ("__k", "__szk")
SIZE: Final = ("__sz", "__szk")
MADE: Final = "__uninit"
BEING_MADE: Final = "___init"
DYNPTR: Final = "bpf_dynptr"
OWN_RULE: Final = frozenset({"bpf_wq", "bpf_res_spin_lock"})
"""Fields of map values that only some functions take, which look at them themselves."""
CLONE: Final = "bpf_dynptr_clone"
WRITES: Final = "bpf_dynptr_slice_rdwr"
OF_PACKETS: Final = frozenset({"bpf_dynptr_from_skb", "bpf_dynptr_from_xdp"})
PLAIN: Final = frozenset({Kind.STACK, Kind.MAP_VALUE, Kind.PACKET, Kind.PACKET_META, Kind.MEM, Kind.RDONLY_MEM})
CONTEXTS: Final = frozenset({"xdp_md", "__sk_buff"})


def check_kfunc_arguments(checker: Checker, state: State, btf: Btf, facts: KfuncFacts) -> None:
    """Check r1 to r5 against the prototype."""
    for reg, parameter in enumerate(facts.proto.parameters[:5], 1):
        value = checker.read(state, reg)
        if parameter.name.endswith(IGNORED) or value.kind is Kind.ANY:
            continue
        target = resolved(btf, parameter.type_id)
        if isinstance(target, Pointer):
            _check_pointer(checker, state, btf, facts, reg)
        else:
            _check_number(checker, state, parameter, reg)


def _check_number(checker: Checker, state: State, parameter: Parameter, reg: int) -> None:
    value = state.regs[reg]
    if value.kind is not Kind.SCALAR:
        checker.refuse(f"R{reg} is not a scalar", Errno.EINVAL)
    if parameter.name.endswith(CONSTANT) and value.constant is None:
        checker.refuse(f"R{reg} must be a known constant", Errno.EINVAL)
    if parameter.name.endswith(SIZE) and not value.vague:
        memory = state.regs[reg - 1]
        if memory.constant == 0:
            return
        if memory.kind in PLAIN and value.high:
            check_memory(checker, state, reg - 1, memory, min(value.high, 1 << 29), write=memory.kind is Kind.STACK)


def _check_pointer(checker: Checker, state: State, btf: Btf, facts: KfuncFacts, reg: int) -> None:
    value, parameter = state.regs[reg], facts.proto.parameters[reg - 1]
    pointer = resolved(btf, parameter.type_id)
    target = resolved(btf, pointer.type_id) if isinstance(pointer, Pointer) else pointer
    if target.name in OWN_RULE or (value.constant == 0 and parameter.name.endswith(NULLABLE)):
        return
    if value.nullable and value.kind in {Kind.BTF, Kind.TRUSTED_BTF} and parameter.name.endswith(NULLABLE):
        checker.refuse(f"arg#{reg - 1} is ptr_or_null_ expected ptr_ or socket", Errno.EINVAL)
    if value.nullable or value.constant == 0:
        checker.refuse(f"Possibly NULL pointer passed to trusted arg{reg - 1}")
    if target.name == DYNPTR:
        _check_dynptr(checker, state, facts, reg)
    elif target.name in CONTEXTS:
        if value.kind is not Kind.CTX:
            checker.refuse(f"arg#{reg - 1} expected pointer to ctx, but got {value.type_name}", Errno.EINVAL)
    elif value.kind is Kind.SCALAR and isinstance(target, Composite):
        checker.refuse(f"arg#{reg - 1} pointer type STRUCT {target.name} must point to scalar", Errno.EINVAL)
    elif value.kind is Kind.MAP_VALUE and target.name in FIELDS:
        check_field(checker, value, target.name, reg)
    elif value.kind in PLAIN and not (reg == 1 and facts.flags & ITERATES) and not _sized(facts, reg):
        _check_plain(checker, state, pointed_size(btf, parameter.type_id, through=True), reg)
    elif value.kind in {Kind.BTF, Kind.TRUSTED_BTF} and value.btf > 0:
        _check_typed(checker, btf, facts, reg, value)


def _check_typed(checker: Checker, btf: Btf, facts: KfuncFacts, reg: int, value: Value) -> None:
    if facts.flags & KfuncFlag.TRUSTED_ARGS and value.kind is Kind.BTF:
        checker.refuse(f"R{reg} must be referenced or trusted", Errno.EINVAL)
    pointer = resolved(btf, facts.proto.parameters[reg - 1].type_id)
    wanted = resolved(btf, pointer.type_id) if isinstance(pointer, Pointer) else pointer
    if value.off or value.varies or not isinstance(wanted, Composite) or begins_with(btf, value.btf, wanted.name):
        return
    text = f"kernel function {facts.name} args#{reg - 1} expected pointer to STRUCT {wanted.name}"
    checker.refuse(f"{text} but R{reg} has a pointer to STRUCT {btf.name(value.btf)}", Errno.EINVAL)


def begins_with(btf: Btf, type_id: int, name: str) -> bool:
    """Whether a struct is one of a name, or begins with one; an entry that is made (`___init`) is not one that is."""
    found = resolved(btf, type_id)
    if found.name == name:
        return True
    if not isinstance(found, Composite) or not found.members or found.name == f"{name}{BEING_MADE}":
        return False
    return begins_with(btf, found.members[0].type_id, name)


def _check_dynptr(checker: Checker, state: State, facts: KfuncFacts, reg: int) -> None:
    if facts.proto.parameters[reg - 1].name.endswith(MADE):
        behind = check_dynptr(checker, state, 1) if facts.name == CLONE else Behind(facts.name in OF_PACKETS)
        make_dynptr(checker, state, reg, behind)
        return
    of_packet = check_dynptr(checker, state, reg) is Behind.PACKET
    if of_packet and facts.name == WRITES and not checker.subject.packet_writable:
        checker.refuse("the prog does not allow writes to packet data", Errno.EINVAL)


def _check_plain(checker: Checker, state: State, size: int, reg: int) -> None:
    value = state.regs[reg]
    if size:
        check_memory(checker, state, reg, value, size, write=value.kind is Kind.STACK)


def _sized(facts: KfuncFacts, reg: int) -> bool:
    """Whether the next argument says how long the memory is."""
    following = facts.proto.parameters[reg : reg + 1]
    return bool(following) and following[0].name.endswith(SIZE)


def pointed_size(btf: Btf, type_id: int, *, through: bool = False) -> int:
    """Return the bytes of a type, or with `through` of what it points to; 0 for one that has no size."""
    try:
        found = resolved(btf, type_id)
        return (
            min(size_of(btf, found.type_id), 1 << 29)
            if through and isinstance(found, Pointer)
            else size_of(btf, type_id)
        )
    except BtfError:
        return 0
