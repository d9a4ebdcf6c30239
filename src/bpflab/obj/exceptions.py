"""Which function a program names for its exceptions: a declaration tag on its main function (Linux 6.7)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import EXCEPTION_CALLBACK, BtfKind
from bpflab.obj.btf_types import DeclTag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.obj.btf import Btf

NO_CALLBACKS: Final[Mapping[str, str]] = MappingProxyType({})


def exception_callbacks(btf: Btf | None) -> Mapping[str, str]:
    """Return the name of the exception callback of each program that names exactly one.

    Where a program names several, none is meant; the kernel says so when the program is loaded.
    """
    if btf is None or EXCEPTION_CALLBACK.encode() not in btf.data:
        return NO_CALLBACKS
    found: dict[str, list[str]] = {}
    for type_id in btf:
        if btf.kind(type_id) is BtfKind.DECL_TAG:
            tag = btf.get(type_id, DeclTag)
            if tag.component < 0 and tag.name.startswith(EXCEPTION_CALLBACK) and btf.kind(tag.type_id) is BtfKind.FUNC:
                found.setdefault(btf.name(tag.type_id), []).append(tag.name.removeprefix(EXCEPTION_CALLBACK))
    return {program: names[0] for program, names in found.items() if len(names) == 1}
