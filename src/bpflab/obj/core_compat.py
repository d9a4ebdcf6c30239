"""When a type of a program and one of a kernel count as the same, for CO-RE.

Three measures, each laxer than the next: a field's type may be another integer of another size, a type's
outside is the same but not its members, a type matches member by member. They are those of libbpf (its
relo_core.c is the reference that the kernel builds in, too).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import MAX_RESOLVE_DEPTH
from bpflab.abi.core import FLAVOUR
from bpflab.errors import BtfError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolved

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf


_FLAVOURED: Final = re.compile(rf"(.*[^_]){FLAVOUR}[^_].*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pair:
    """The two BTFs that are compared; type ids below come in the same order."""

    local: Btf
    target: Btf

    def types(self, local: int, target: int) -> tuple[t.BtfType, t.BtfType]:
        """Decode both types, modifiers and typedefs skipped."""
        return resolved(self.local, local), resolved(self.target, target)


def essential_name(name: str) -> str:
    """Give a name without its flavour, which stands behind the last `___` of just three underscores."""
    flavoured = _FLAVOURED.fullmatch(name)
    return flavoured[1] if flavoured else name


def same_kind(local: t.BtfType, target: t.BtfType) -> bool:
    """Say whether two types are of one kind; enums of 32 and 64 bits are."""
    return local.kind == target.kind or (isinstance(local, t.Enum) and isinstance(target, t.Enum))


def same_name(local: str, target: str) -> bool:
    """Say whether two names are the same but for the flavour."""
    return essential_name(local) == essential_name(target)


def fields_compatible(pair: Pair, local: int, target: int) -> bool:
    """Say whether a field of the local type can be read where the kernel has one of the target type."""
    for _ in range(MAX_RESOLVE_DEPTH):
        match pair.types(local, target):
            case (t.Composite(), t.Composite()) | (t.Pointer(), t.Pointer()) | (t.Float(), t.Float()):
                return True
            case (t.Forward() | t.Enum() as one, t.Forward() | t.Enum() as other) if same_kind(one, other):
                return not one.name or not other.name or same_name(one.name, other.name)
            case (t.Int(offset=one_offset), t.Int(offset=other_offset)):
                return one_offset == other_offset == 0
            case (t.Array(type_id=local), t.Array(type_id=target)):
                continue
            case _:
                return False
    raise _too_deep(local)


def types_compatible(
    pair: Pair, local: int, target: int, *, forwards: bool = False, depth: int = MAX_RESOLVE_DEPTH
) -> bool:
    """Say whether two types of one name are of one shape outside: members are not compared.

    `forwards`: a declaration of a struct or union may stand for its definition.
    """
    while depth:
        depth -= 1
        one, other = pair.types(local, target)
        if not same_kind(one, other):
            return forwards and _is_forward_of(one, other)
        match one, other:
            case (t.Int(offset=one_offset), t.Int(offset=other_offset)):
                return one_offset == other_offset == 0
            case (t.Pointer(type_id=local), t.Pointer(type_id=target)):
                continue
            case (t.Array(type_id=local), t.Array(type_id=target)):
                continue
            case (t.FuncProto(return_id=local, parameters=mine), t.FuncProto(return_id=target, parameters=theirs)):
                if len(mine) != len(theirs):
                    return False
                if not all(
                    types_compatible(pair, a.type_id, b.type_id, forwards=forwards, depth=depth)
                    for a, b in zip(mine, theirs, strict=True)
                ):
                    return False
            case (t.Void() | t.Composite() | t.Enum() | t.Forward(), _):
                return True
            case _:
                return False
    raise _too_deep(local)


def _is_forward_of(local: t.BtfType, target: t.BtfType) -> bool:
    return (
        isinstance(local, t.Forward)
        and isinstance(target, t.Composite)
        and local.union == isinstance(target, t.Union)
        and same_name(local.name, target.name)
    )


def _too_deep(type_id: int) -> BtfError:
    return BtfError(f"BTF: type {type_id} is nested more than {MAX_RESOLVE_DEPTH} deep.")
