"""A type of one BTF brought into another: with all that it is made of, but for what the other has by that name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.obj import btf_types as t

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.obj.btf import Btf

_SHARED: Final = (BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64, BtfKind.INT, BtfKind.TYPEDEF)
"""Kinds of which one by the same name is taken to be the same type."""


def graft(target: Btf, source: Btf, type_id: int) -> list[t.BtfType]:
    """Return the types to put behind those of `target`; the first one is type `type_id` of `source`."""
    numbers = {0: 0, type_id: len(target)}
    order = [type_id]

    def number(wanted: int) -> int:
        if wanted not in numbers:
            found = _known(target, source[wanted])
            numbers[wanted] = found or len(target) + len(order)
            if not found:
                order.append(wanted)
        return numbers[wanted]

    return [_renumbered(source[each], number) for each in order]


def _known(target: Btf, each: t.BtfType) -> int | None:
    if not each.name:
        return None
    if isinstance(each, t.Forward):
        return target.find(each.name, BtfKind.UNION if each.union else BtfKind.STRUCT)
    return target.find(each.name, each.kind) if each.kind in _SHARED else None


def _renumbered(each: t.BtfType, number: Callable[[int], int]) -> t.BtfType:
    match each:
        case t.Reference():
            return replace(each, type_id=number(each.type_id))
        case t.Array():
            return replace(each, type_id=number(each.type_id), index_type_id=number(each.index_type_id))
        case t.Composite():
            members = tuple(replace(member, type_id=number(member.type_id)) for member in each.members)
            return replace(each, members=members)
        case t.FuncProto():
            parameters = tuple(replace(one, type_id=number(one.type_id)) for one in each.parameters)
            return replace(each, return_id=number(each.return_id), parameters=parameters)
        case _:
            return each
