"""Where an access may lie: in memory of a known size, in the packet, at the context itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from bpflab.sim.check.checker import Checker
    from bpflab.sim.check.value import Value

MAX_VARIABLE_OFFSET: Final = 1 << 29
"""What is added to a pointer must be less (BPF_MAX_VAR_OFF)."""


class Access(NamedTuple):
    """One access: through which register, at which offset from it, how wide, and what is stored.

    `stored` is None for a load; `strict` says that it must be aligned whatever it points to.
    """

    reg: int
    off: int
    size: int
    stored: Value | None = None
    strict: bool = False

    @property
    def write(self) -> bool:
        """Whether this is a store."""
        return self.stored is not None


def check_region(checker: Checker, pointer: Value, whole: int, wanted: Access, text: str) -> None:
    """Refuse an access outside memory of a known size; `text` begins the kernel's sentence."""
    off, reg = pointer.off + wanted.off, wanted.reg
    if pointer.vague:
        if off + pointer.low + wanted.size > whole:  # then no value is fine
            _check_inside(checker, off + pointer.low, whole, wanted, f"{text} off={{}} size={{}}\nR{reg} min value")
        return
    if pointer.low < 0 and off + pointer.low < 0:
        checker.refuse(f"R{reg} min value is negative, either use unsigned index or do a if (index >=0) check.")
    _check_inside(checker, off + pointer.low, whole, wanted, f"{text} off={{}} size={{}}\nR{reg} min value")
    if pointer.high >= MAX_VARIABLE_OFFSET:
        checker.refuse(f"R{reg} unbounded memory access, make sure to bounds check any such access")
    _check_inside(checker, off + pointer.high, whole, wanted, f"{text} off={{}} size={{}}\nR{reg} max value")


def _check_inside(checker: Checker, off: int, whole: int, wanted: Access, text: str) -> None:
    if off < 0 or off + wanted.size > whole:
        checker.refuse(f"{text.format(off, wanted.size)} is outside of the allowed memory range")


def check_packet(checker: Checker, pointer: Value, wanted: Access) -> None:
    """Refuse bytes of the packet that no comparison with its end has shown to be there."""
    if pointer.range < 0:
        checker.refuse(f"R{wanted.reg} offset is outside of the packet", Errno.EINVAL)
    off = pointer.off + wanted.off
    if off < 0 or off + wanted.size > pointer.range:
        checker.refuse(
            f"invalid access to packet, off={off} size={wanted.size}, "
            f"R{wanted.reg}(id={pointer.id},off={off},r={pointer.range})\n"
            f"R{wanted.reg} offset is outside of the packet"
        )


def check_unmoved(checker: Checker, pointer: Value, reg: int) -> None:
    """Refuse a context pointer to which something was added."""
    if pointer.varies:
        checker.refuse(f"variable {pointer.type_name} access var_off disallowed")
    if pointer.off < 0:
        checker.refuse(f"negative offset {pointer.type_name} ptr R{reg} off={pointer.off} disallowed")
    if pointer.off:
        checker.refuse(f"dereference of modified {pointer.type_name} ptr R{reg} off={pointer.off} disallowed")
