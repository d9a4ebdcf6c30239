"""What is known of one register: a type, and by type an offset, bounds, or what it points into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bpflab.sim.check.types import Kind

if TYPE_CHECKING:
    from bpflab.sim.check.subject import MapFacts

WORD: Final = (1 << 64) - 1
HALF: Final = (1 << 32) - 1
AT_END: Final = -1
BEYOND_END: Final = -2
"""The range of a packet pointer that was found at or past the packet's end."""

NO_BYTES: Final = -1
"""The size of memory of which nothing may be accessed, such as a function of the kernel; 0 is a size not known."""
SIGN: Final = 1 << 63


class Value(NamedTuple):
    """The content of a register.

    `low` and `high` bound a scalar, as unsigned numbers. A pointer's offset is `off` (for a function:
    its slot) plus a part that varies between `low` and `high`, both 0 if none does. `id` is shared by
    copies: what a null check or packet check of one says holds for all. `range` is how many bytes of
    a packet pointer are known to be in the packet. `size` is that of memory (MEM), `frame` the
    function whose stack is pointed to, `reference` what must be released. `btf` is the type that a typed
    pointer points to: an id of the kernel's types, or one of the program's own types, negative. `vague`: the kernel may
    know better bounds, so nothing is refused for these. `lent`: an object that a list or tree under lock owns.
    """

    kind: Kind
    low: int = 0
    high: int = 0
    off: int = 0
    id: int = 0
    nullable: bool = False
    range: int = 0
    map: MapFacts | None = None
    size: int = 0
    frame: int = 0
    reference: int = 0
    vague: bool = False
    btf: int = 0
    lent: bool = False

    @property
    def constant(self) -> int | None:
        """The number, if this is a scalar with one possible value."""
        return self.low if self.kind is Kind.SCALAR and self.low == self.high else None

    @property
    def varies(self) -> bool:
        """Whether a pointer's offset is not constant."""
        return bool(self.low or self.high)

    @property
    def is_pointer(self) -> bool:
        """Whether this is surely a pointer, or null."""
        return self.kind not in {Kind.SCALAR, Kind.UNSET, Kind.ANY}

    @property
    def type_name(self) -> str:
        """The type as the kernel's log names it."""
        if not self.nullable:
            return str(self.kind)
        return f"{self.kind.removesuffix('_')}_or_null{'_' if self.kind.endswith('_') else ''}"

    def __str__(self) -> str:
        if self.kind is Kind.SCALAR:
            return _scalar_text(self)
        if self.kind is Kind.STACK:
            return f"fp(off={self.off},{self.low}..{self.high})" if self.varies else f"fp{self.off}"
        return f"{self.type_name}({','.join(_details(self))})"


UNSET: Final = Value(Kind.UNSET)
SCALAR: Final = Value(Kind.SCALAR, 0, WORD)
ANY: Final = Value(Kind.ANY)


def constant(number: int) -> Value:
    """Make a scalar of one known value."""
    return Value(Kind.SCALAR, number & WORD, number & WORD)


def bounded(low: int, high: int) -> Value:
    """Make a scalar between two unsigned bounds."""
    return Value(Kind.SCALAR, low, high)


def of_width(size: int) -> Value:
    """Make what a load of `size` bytes may yield."""
    return Value(Kind.SCALAR, 0, (1 << 8 * size) - 1)


def signed(number: int) -> int:
    """Read an unsigned 64-bit number as signed."""
    return number - (1 << 64) if number & SIGN else number


def lower_half(value: Value) -> Value:
    """Read the lower 32 bits of a scalar as a signed number; one that may be anything where they are not known."""
    number = value.constant
    if number is not None:
        return constant((number & HALF) - (1 << 32) if number & (1 << 31) else number & HALF)
    if value.high <= HALF >> 1:
        return value
    if (1 << 31) <= value.low <= value.high <= HALF:
        return bounded(value.low | HALF << 32, value.high | HALF << 32)
    return SCALAR._replace(vague=True)


def signed_bounds(value: Value) -> tuple[int, int]:
    """Give the least and greatest signed number a scalar may be."""
    if (value.low ^ value.high) & SIGN:
        return -SIGN, SIGN - 1
    return signed(value.low), signed(value.high)


def _scalar_text(value: Value) -> str:
    number = value.constant
    if number is not None:
        return str(signed(number)) if signed(number) < 0 or number < 10 else f"{number:#x}"
    return "scalar()" if (value.low, value.high) == (0, WORD) else f"scalar(umin={value.low},umax={value.high:#x})"


def _details(value: Value) -> list[str]:
    parts = []
    if value.nullable or (value.kind is Kind.PACKET and value.id):
        parts.append(f"id={value.id}")
    if value.off:
        parts.append(f"off={value.off}")
    if value.varies:
        parts.append(f"{value.low}..{value.high}")
    if value.range:
        parts.append(f"r={value.range}")
    if value.map is not None:
        parts += [f"ks={value.map.key_size}", f"vs={value.map.value_size}"]
    return parts + ([f"sz={max(value.size, 0)}"] if value.size else [])
