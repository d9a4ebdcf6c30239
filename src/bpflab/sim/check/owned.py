"""Objects of the program's own types: allocated, shared, kept in lists and trees (bpf_obj_new and what goes with it).

Their pointers are typed ones whose `btf` is below 0. One that a program owns has a reference; one that a list or tree
owns is lent, until the spin lock is given back (kernel/bpf/verifier.c, owning and non-owning references).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.errno import Errno
from bpflab.obj.btf_layout import resolve
from bpflab.obj.btf_types import Composite, Datasec, DeclTag, Member, Var
from bpflab.sim.check.frames import wait_for_callback
from bpflab.sim.check.types import Kind
from bpflab.sim.check.value import ANY, Value, of_width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.btf import Btf
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.state import State

CONTAINS: Final = "contains:"
"""A declaration tag `contains:TYPE:FIELD` on a list's head or a tree's root says what is in it, and by which field."""


def own_object(checker: Checker, state: State) -> Value:
    """Give a new object of the program's type whose id is in r1."""
    type_id, btf = state.regs[1].constant, checker.subject.own_types
    if type_id is None:
        checker.refuse("R1 must be a known constant", Errno.EINVAL)
    if btf is None:
        checker.refuse("bpf_obj_new/bpf_percpu_obj_new requires prog BTF", Errno.EINVAL)
    if type_id not in btf or btf.kind(type_id) is not BtfKind.STRUCT:
        checker.refuse("bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct", Errno.EINVAL)
    return Value(Kind.BTF, btf=-type_id)


def own_percpu_object(checker: Checker, state: State) -> Value:
    """Give a new object of which every CPU has its own."""
    return own_object(checker, state)._replace(kind=Kind.PERCPU)


def another_reference(checker: Checker, state: State) -> Value:
    """Give a second hold on the object in r1."""
    held = state.regs[1]
    if held.kind is Kind.ANY:
        return ANY
    if held.kind is not Kind.BTF or held.btf >= 0:
        checker.refuse("arg#0 expected pointer to allocated object", Errno.EINVAL)
    return Value(Kind.BTF, btf=held.btf, off=0)


def drop(checker: Checker, state: State) -> None:
    """Check that r1 is an object that the program owns, where it begins."""
    held = state.regs[1]
    if held.kind not in {Kind.BTF, Kind.PERCPU, Kind.ANY} or (held.btf >= 0 and held.kind is not Kind.ANY):
        checker.refuse("arg#0 expected pointer to allocated object", Errno.EINVAL)
    if held.kind is not Kind.ANY and not held.reference:
        checker.refuse("allocated object must be referenced", Errno.EINVAL)


def give_away(checker: Checker, state: State) -> Value:
    """Put the object in r2 into the list or tree in r1."""
    _check_locked(checker, state)
    node = state.regs[2]
    if node.kind is not Kind.ANY:
        if node.kind is not Kind.BTF or node.btf >= 0:
            checker.refuse("arg#1 expected pointer to allocated object", Errno.EINVAL)
        if not node.reference:
            checker.refuse("allocated object must be referenced", Errno.EINVAL)
        state.lend(node.reference)
    return of_width(4)


def add_to_tree(checker: Checker, state: State) -> Value:
    """Put the object in r2 into the tree in r1, by the order of the function in r3."""
    node, less = state.regs[2], state.regs[3]
    result = give_away(checker, state)
    if less.kind is Kind.FUNC:
        known = ANY if node.kind is Kind.ANY else Value(Kind.BTF, btf=node.btf, off=node.off, lent=True)
        wait_for_callback(checker, state, less.off, (known, known))
    return result


def taken_out(checker: Checker, state: State) -> Value:
    """Give what is taken out of the list or tree in r1."""
    _check_locked(checker, state)
    node = state.regs[2]
    if node.kind is Kind.BTF and node.btf < 0:
        return Value(Kind.BTF, btf=node.btf, off=node.off)
    return _content(checker, state.regs[1])


def looked_at(checker: Checker, state: State) -> Value:
    """Give an object that stays in the list or tree in r1."""
    _check_locked(checker, state)
    found = _content(checker, state.regs[1])
    return found if found.kind is Kind.ANY else found._replace(lent=True)


def _check_locked(checker: Checker, state: State) -> None:
    root = state.regs[1]
    if root.kind is not Kind.ANY and not state.held.lock:
        checker.refuse("bpf_spin_lock must be held for bpf_list_head or bpf_rb_root", Errno.EINVAL)


def _content(checker: Checker, root: Value) -> Value:
    """Give a pointer to the node of what a head or root contains; anything where that cannot be told."""
    btf = checker.subject.own_types
    container = root.map.value_type if root.map is not None else -root.btf
    if btf is None or container <= 0 or root.varies:
        return ANY
    found = contained(btf, container, root.off)
    return ANY if found is None else Value(Kind.BTF, btf=-found[0], off=found[1])


@lru_cache(maxsize=512)
def contained(btf: Btf, type_id: int, offset: int) -> tuple[int, int] | None:
    """Return the type in a head or root at an offset of a type, and where its node is; None if nothing says so."""
    text = next((text for text in _tags(btf, type_id, offset) if text.startswith(CONTAINS)), None)
    if text is None:
        return None
    _, name, field = text.split(":", 2)
    target = btf.find(name, BtfKind.STRUCT)
    if target is None:
        return None
    nodes = [each for each in btf.get(target, Composite).members if each.name == field]
    return (target, nodes[0].bit_offset // 8) if nodes else None


def _tags(btf: Btf, type_id: int, offset: int) -> Iterator[str]:
    """Yield the declaration tags of whatever is declared at an offset of a struct or section."""
    type_id = resolve(btf, type_id)
    match btf[type_id]:
        case Datasec(variables=variables):
            for each in variables:
                if each.offset == offset:
                    yield from tags_of(btf).get((each.type_id, -1), ())
                if each.offset <= offset < each.offset + each.size:
                    yield from _tags(btf, btf.get(each.type_id, Var).type_id, offset - each.offset)
        case Composite(members=members):
            for index, member in enumerate(members):
                yield from _member_tags(btf, (type_id, index), member, offset)


def _member_tags(btf: Btf, key: tuple[int, int], member: Member, offset: int) -> Iterator[str]:
    start = member.bit_offset // 8
    if start == offset:
        yield from tags_of(btf).get(key, ())
    if start <= offset:
        yield from _tags(btf, member.type_id, offset - start)


@lru_cache(maxsize=64)
def tags_of(btf: Btf) -> dict[tuple[int, int], list[str]]:
    """Collect declaration tags by the type and the component that they are on."""
    found: dict[tuple[int, int], list[str]] = {}
    for type_id in btf:
        each = btf[type_id]
        if isinstance(each, DeclTag):
            found.setdefault((each.type_id, each.component), []).append(each.name)
    return found
