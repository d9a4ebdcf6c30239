"""bpf_core_type_matches: whether a kernel's type has all that the program's own declaration of it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.btf import MAX_RESOLVE_DEPTH
from bpflab.errors import BtfError
from bpflab.obj import btf_types as t
from bpflab.obj.core_compat import same_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpflab.obj.core_compat import Pair


def types_match(pair: Pair, local: int, target: int) -> bool:
    """Say whether every member, enumerator and parameter of the local type is in the target's, with its type.

    Behind a pointer, structs and unions are compared by name alone, and may be forward declarations.
    """
    return _Matcher(pair).match(local, target, behind=False, depth=MAX_RESOLVE_DEPTH)


class _Matcher:
    """Compares types of one pair of BTFs; each pair of types once."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._known: dict[tuple[int, int, bool], bool] = {}

    def match(self, local: int, target: int, *, behind: bool, depth: int) -> bool:
        """Compare two types, which stand `behind` a pointer or not."""
        if not depth:
            raise BtfError(f"BTF: type {local} is nested more than {MAX_RESOLVE_DEPTH} deep.")
        key = (local, target, behind)
        if key not in self._known:
            one, other = self._pair.types(local, target)
            self._known[key] = same_name(one.name, other.name) and self._shape(one, other, behind, depth - 1)
        return self._known[key]

    def _shape(self, one: t.BtfType, other: t.BtfType, behind: bool, depth: int) -> bool:
        match one, other:
            case (t.Composite() | t.Forward(), t.Composite() | t.Forward()) if behind:
                return _is_union(one) == _is_union(other)
            case (t.Struct(members=fewer), t.Struct(members=more)) | (t.Union(members=fewer), t.Union(members=more)):
                return self._members(fewer, more, depth)
            case (t.Pointer(type_id=mine), t.Pointer(type_id=theirs)):
                return self.match(mine, theirs, behind=True, depth=depth)
            case (t.Array(), t.Array()) if one.length == other.length:
                return self.match(one.type_id, other.type_id, behind=behind, depth=depth)
            case (t.FuncProto(), t.FuncProto()) if len(one.parameters) == len(other.parameters):
                pairs = zip(_signature(one), _signature(other), strict=True)
                return all(self.match(mine, theirs, behind=behind, depth=depth) for mine, theirs in pairs)
            case _:
                return _leaves_match(one, other)

    def _members(self, mine: Sequence[t.Member], theirs: Sequence[t.Member], depth: int) -> bool:
        return len(mine) <= len(theirs) and all(self._has(theirs, each, depth) for each in mine)

    def _has(self, theirs: Iterable[t.Member], mine: t.Member, depth: int) -> bool:
        return any(
            same_name(mine.name, each.name) and self.match(mine.type_id, each.type_id, behind=False, depth=depth)
            for each in theirs
        )


def _signature(function: t.FuncProto) -> list[int]:
    return [*(each.type_id for each in function.parameters), function.return_id]


def _leaves_match(one: t.BtfType, other: t.BtfType) -> bool:
    match one, other:
        case (t.Int(), t.Int()):
            return one.size == other.size and one.signed == other.signed
        case (t.Enum(), t.Enum()):
            return one.size == other.size and _enumerators_match(one, other)
        case (t.Forward(union=mine), t.Forward(union=theirs)):
            return mine == theirs
        case _:
            return isinstance(one, t.Void) and isinstance(other, t.Void)


def _enumerators_match(one: t.Enum, other: t.Enum) -> bool:
    return all(any(same_name(mine.name, theirs.name) for theirs in other.values) for mine in one.values)


def _is_union(found: t.BtfType) -> bool:
    return found.union if isinstance(found, t.Forward) else isinstance(found, t.Union)
