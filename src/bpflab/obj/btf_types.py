"""BTF types as values, one dataclass a kind. Type ids refer to the `Btf` the value came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from bpflab.abi.btf import BtfKind, FuncLinkage, IntEncoding, VarLinkage


@dataclass(frozen=True, slots=True, kw_only=True)
class BtfType:
    """What every type has: a kind, and a name that is empty for anonymous types."""

    kind: ClassVar[BtfKind]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Void(BtfType):
    """Type id 0."""

    kind = BtfKind.VOID


@dataclass(frozen=True, slots=True)
class Int(BtfType):
    """An integer of `size` bytes; `bits` may be fewer, then `offset` is where they start."""

    kind = BtfKind.INT
    size: int
    bits: int
    encoding: IntEncoding = IntEncoding.NONE
    offset: int = 0

    @property
    def signed(self) -> bool:
        """Whether the top bit is the sign."""
        return bool(self.encoding & IntEncoding.SIGNED)


@dataclass(frozen=True, slots=True)
class Float(BtfType):
    """A floating-point number of `size` bytes."""

    kind = BtfKind.FLOAT
    size: int


@dataclass(frozen=True, slots=True)
class Reference(BtfType):
    """A type that stands for or points to another, `type_id`."""

    type_id: int


@dataclass(frozen=True, slots=True)
class Pointer(Reference):
    """A pointer to `type_id` (0: void)."""

    kind = BtfKind.PTR


@dataclass(frozen=True, slots=True)
class Typedef(Reference):
    """A name for `type_id`."""

    kind = BtfKind.TYPEDEF


@dataclass(frozen=True, slots=True)
class Volatile(Reference):
    """`volatile type_id`."""

    kind = BtfKind.VOLATILE


@dataclass(frozen=True, slots=True)
class Const(Reference):
    """`const type_id`."""

    kind = BtfKind.CONST


@dataclass(frozen=True, slots=True)
class Restrict(Reference):
    """`restrict type_id`."""

    kind = BtfKind.RESTRICT


@dataclass(frozen=True, slots=True)
class TypeTag(Reference):
    """`type_id` with btf_type_tag(name); `attribute` if the tag is a whole GNU attribute instead."""

    kind = BtfKind.TYPE_TAG
    attribute: bool = False


@dataclass(frozen=True, slots=True)
class Array(BtfType):
    """`length` elements of `type_id`; `index_type_id` is the type C would count them with."""

    kind = BtfKind.ARRAY
    type_id: int
    index_type_id: int
    length: int


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a struct or union; `bit_size` is 0 unless it is a bitfield."""

    name: str
    type_id: int
    bit_offset: int
    bit_size: int = 0


@dataclass(frozen=True, slots=True)
class Composite(BtfType):
    """A struct or union of `size` bytes."""

    size: int
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Struct(Composite):
    """A struct."""

    kind = BtfKind.STRUCT


@dataclass(frozen=True, slots=True)
class Union(Composite):
    """A union."""

    kind = BtfKind.UNION


@dataclass(frozen=True, slots=True)
class EnumValue:
    """One enumerator."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Enum(BtfType):
    """An enum of `size` bytes (1, 2, 4 or 8), its values within 32 bits."""

    kind = BtfKind.ENUM
    size: int
    values: tuple[EnumValue, ...] = ()
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Enum64(Enum):
    """An enum whose values take up to 64 bits."""

    kind = BtfKind.ENUM64


@dataclass(frozen=True, slots=True)
class Forward(BtfType):
    """A struct or union that is declared and not defined."""

    kind = BtfKind.FWD
    union: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function; type id 0 as the last one stands for `...`."""

    name: str
    type_id: int


@dataclass(frozen=True, slots=True)
class FuncProto(BtfType):
    """A function's type: what it returns (0: void) and takes."""

    kind = BtfKind.FUNC_PROTO
    return_id: int
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Func(Reference):
    """A function; `type_id` is its FuncProto."""

    kind = BtfKind.FUNC
    linkage: FuncLinkage = FuncLinkage.STATIC


@dataclass(frozen=True, slots=True)
class Var(Reference):
    """A global or static variable."""

    kind = BtfKind.VAR
    linkage: VarLinkage = VarLinkage.STATIC


@dataclass(frozen=True, slots=True)
class SectionVariable:
    """Where a Var (or extern Func) lies in its section, in bytes."""

    type_id: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Datasec(BtfType):
    """An ELF section of `size` bytes and the variables in it."""

    kind = BtfKind.DATASEC
    size: int
    variables: tuple[SectionVariable, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclTag(Reference):
    """btf_decl_tag(name) on `type_id`, on its member or parameter `component`, or on itself (-1)."""

    kind = BtfKind.DECL_TAG
    component: int = field(default=-1)
    attribute: bool = False
