"""A struct of operations added to the types of a simulated kernel that does not have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.struct_ops import WRAPPED, WRAPPER
from bpflab.obj.btf_append import append
from bpflab.obj.btf_graft import graft
from bpflab.obj.btf_types import Member, Struct

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf

COMMON: Final = "bpf_struct_ops_common_value"
WRAPPED_AT: Final = 64
"""Where the operations begin in their wrapper: it is aligned to a line of the cache."""


def with_operations(btf: Btf, source: Btf, name: str) -> Btf:
    """Return a kernel's types with a struct of operations as `source` declares it; BtfError if it does not.

    A kernel that has operations of that name keeps its own.
    """
    if btf.find(WRAPPER + name, BtfKind.STRUCT) is not None:
        return btf
    wanted = source.require(name, BtfKind.STRUCT)
    known = btf.find(name, BtfKind.STRUCT)
    types = graft(btf, source, wanted) if known is None else []
    common = len(btf) + len(types)
    size = WRAPPED_AT + source.get(wanted, Struct).size
    members = (Member("common", common, 0), Member(WRAPPED, known or len(btf), 8 * WRAPPED_AT))
    wrapper = Struct(name=WRAPPER + name, size=size, members=members)
    return append(btf, [*types, Struct(name=COMMON, size=8), wrapper])
