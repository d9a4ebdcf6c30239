"""BTF as the kernel lays it out: kinds, encodings, record sizes, from linux/btf.h and Documentation/bpf/btf.rst."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

MAGIC: Final = 0xEB9F
VERSION: Final = 1
HEADER_SIZE: Final = 24
"""Bytes of `struct btf_header`: magic u16, version u8, flags u8, then five u32."""

TYPE_WORDS: Final = 3
"""Words of `struct btf_type`: name_off, info, size or type."""

MAX_VLEN: Final = 0xFFFF
KIND_FLAG: Final = 1 << 31
MAX_RESOLVE_DEPTH: Final = 32
"""How many modifiers, typedefs or arrays the kernel follows from one type."""

EXCEPTION_CALLBACK: Final = "exception_callback:"
"""A declaration tag on a program's main function begins with this; the name of the callback follows."""


class BtfKind(IntEnum):
    """What a BTF type is, from the BTF_KIND_ constants."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


FIXED_WORDS: Final[dict[BtfKind, int]] = {
    BtfKind.INT: 1,
    BtfKind.ARRAY: 3,
    BtfKind.VAR: 1,
    BtfKind.DECL_TAG: 1,
}
"""Words that follow `struct btf_type`, whatever its vlen; 0 for kinds not listed."""

ITEM_WORDS: Final[dict[BtfKind, int]] = {
    BtfKind.STRUCT: 3,
    BtfKind.UNION: 3,
    BtfKind.ENUM: 2,
    BtfKind.FUNC_PROTO: 2,
    BtfKind.DATASEC: 3,
    BtfKind.ENUM64: 3,
}
"""Words of each of the vlen items that follow; 0 for kinds not listed."""


class IntEncoding(IntFlag):
    """How a BTF_KIND_INT reads, from the BTF_INT_ constants."""

    NONE = 0
    SIGNED = 1
    CHAR = 2
    BOOL = 4


class VarLinkage(IntEnum):
    """Linkage of a BTF_KIND_VAR, from the BTF_VAR_ constants."""

    STATIC = 0
    GLOBAL = 1
    EXTERN = 2


class FuncLinkage(IntEnum):
    """Linkage of a BTF_KIND_FUNC, from `enum btf_func_linkage`; it stands in the type's vlen."""

    STATIC = 0
    GLOBAL = 1
    EXTERN = 2
