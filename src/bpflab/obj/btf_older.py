"""BTF for a kernel that does not know all its kinds: the others rewritten as kinds that every kernel knows.

What stands for what is as libbpf has it (bpf_object__sanitize_btf): ids stay what they are, and sizes too, so that
values of maps keep their layout. Names and tags are lost where there is nothing to hold them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind, FuncLinkage, IntEncoding
from bpflab.obj import btf_types as t
from bpflab.obj.btf_encode import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bpflab.obj.btf import Btf

NEWER: Final = (
    BtfKind.FUNC,
    BtfKind.DATASEC,
    BtfKind.FLOAT,
    BtfKind.DECL_TAG,
    BtfKind.TYPE_TAG,
    BtfKind.ENUM64,
)
"""Kinds that came after the first kernel with BTF; VAR came with DATASEC, FUNC_PROTO with FUNC."""
PLACEHOLDER: Final = "__enum64_placeholder"


def rewritten(btf: Btf, unknown: Collection[BtfKind], *, global_functions: bool = True) -> bytes:
    """Return the BTF without the kinds in `unknown` and, if they are not known, without global functions."""
    types = [_rewrite(btf, btf[type_id], unknown, len(btf)) for type_id in btf]
    if not global_functions:
        types = [_static(each) for each in types]
    if BtfKind.ENUM64 in unknown:
        types.append(t.Int(name=PLACEHOLDER, size=8, bits=64))
    return encode(types, btf.byteorder, btf.strings())


def _rewrite(btf: Btf, each: t.BtfType, unknown: Collection[BtfKind], placeholder: int) -> t.BtfType:
    kind = {BtfKind.VAR: BtfKind.DATASEC, BtfKind.FUNC_PROTO: BtfKind.FUNC}.get(each.kind, each.kind)
    if kind not in unknown:
        return each
    return _REPLACED[each.kind](btf, each, placeholder)


def _static(each: t.BtfType) -> t.BtfType:
    if isinstance(each, t.Func) and each.linkage is not FuncLinkage.STATIC:
        return t.Func(name=each.name, type_id=each.type_id, linkage=FuncLinkage.STATIC)
    return each


def _section(btf: Btf, each: t.BtfType) -> t.BtfType:
    assert isinstance(each, t.Datasec)
    name = each.name.lstrip(".").replace(".", "_").replace("/", "_")
    members = tuple(t.Member(btf.name(var.type_id), var.type_id, 8 * var.offset) for var in each.variables)
    return t.Struct(name=name, size=each.size, members=members)


def _enum64(each: t.BtfType, placeholder: int) -> t.BtfType:
    assert isinstance(each, t.Enum64)
    members = tuple(t.Member(value.name, placeholder, 0) for value in each.values)
    return t.Union(name=each.name, size=each.size, members=members)


def _byte(each: t.BtfType) -> t.BtfType:
    return t.Int(name=each.name or "byte", size=1, bits=8, encoding=IntEncoding.NONE)


def _size(each: t.BtfType) -> int:
    return each.size if isinstance(each, t.Float) else 0


def _target(each: t.BtfType) -> int:
    return each.type_id if isinstance(each, t.Reference) else 0


_REPLACED: Final[dict[BtfKind, Callable[[Btf, t.BtfType, int], t.BtfType]]] = {
    BtfKind.DATASEC: lambda btf, each, _: _section(btf, each),
    BtfKind.VAR: lambda _btf, each, _: _byte(each),
    BtfKind.FUNC: lambda _btf, each, _: t.Typedef(name=each.name, type_id=_target(each)),
    BtfKind.FUNC_PROTO: lambda _btf, _each, _: t.Enum(size=4),
    BtfKind.FLOAT: lambda _btf, each, _: t.Struct(name=each.name, size=_size(each)),
    BtfKind.DECL_TAG: lambda _btf, _each, _: t.Int(name="tag", size=1, bits=8),
    BtfKind.TYPE_TAG: lambda _btf, each, _: t.Const(type_id=_target(each)),
    BtfKind.ENUM64: lambda _btf, each, placeholder: _enum64(each, placeholder),
}
