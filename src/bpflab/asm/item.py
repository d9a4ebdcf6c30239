"""What a program is written of: instructions, and what the assembler makes instructions of.

A function such as `mov` returns an `Insn` at once. One that names something the assembler or the
loader knows later (a label, a map, a kfunc) returns a `Pending` with the name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from bpflab.abi.insn import LD_IMM64
from bpflab.asm.insn import Insn
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from collections.abc import Iterable


class RefKind(Enum):
    """What a name stands for, and so which field of the instruction it fills."""

    JUMP = "jump"
    """A label, as instructions to skip: off, or imm of a gotol."""
    CALL = "call"
    """A label, as instructions to skip: imm of a call."""
    CALLEE = "callee"
    """A label, else a helper: what text calls by a bare name."""
    FUNC = "func"
    """A label, as instructions to skip: imm of a wide load; the address of a callback."""
    MAP = "map"
    MAP_VALUE = "map value"
    KFUNC = "kfunc"
    DATA = "data"
    """A data symbol: an address in the map of its section."""
    SYMBOL = "symbol"
    """A data symbol, else a label, else a map: what LLVM writes as `r1 = name ll`."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An instruction that waits for a name. `offset` is in bytes, into a map's value or a symbol."""

    insn: Insn
    kind: RefKind
    name: str
    offset: int = 0

    @property
    def slots(self) -> int:
        """How many eight-byte slots it takes: 2 for a 64-bit immediate load, else 1."""
        return 2 if self.insn.opcode == LD_IMM64 else 1


@dataclass(frozen=True, slots=True)
class Label:
    """A name for the place of the next instruction."""

    name: str


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a data section, aligned to `align` bytes, under a name or without (`""`)."""

    name: str
    content: bytes
    section: str = ".rodata"
    align: int = 1


Item: TypeAlias = Insn | Pending | Label | Data
"""One thing that a program is written of."""

Items: TypeAlias = "Iterable[object]"
"""Items, and iterables of them nested as it suits the writer; what is neither, `assemble` refuses."""


def label(name: str) -> Label:
    """Name the place of the next instruction, for jumps, `call_sub` and `ld_func`."""
    if not name:
        raise AssemblyError("label(''): a label has at least one character")
    return Label(name)


def data(name: str, content: bytes, section: str = ".rodata", align: int = 8) -> Data:
    """Put bytes into a data section under a name, for `ld_data`.

    A section becomes the one value of an array map of its name. `align` is a power of two, in bytes.
    """
    if align < 1 or align & (align - 1):
        raise AssemblyError(f"data({name!r}, ...): an alignment of {align} bytes is no power of two")
    return Data(name, bytes(content), section, align)
