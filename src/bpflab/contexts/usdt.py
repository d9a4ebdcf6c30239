"""Where the arguments of a USDT tracepoint are, as programs with `bpf/usdt.bpf.h` read it from `__bpf_usdt_specs`.

On a kernel the one who attaches the program writes it, from the notes of the traced binary. In a test without a binary
the test does, and says in which registers or memory the arguments of a run are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from bpflab.arguments import check_integer
from bpflab.contexts.registers import PtRegs
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

SPECS: Final = "__bpf_usdt_specs"
"""The map, an array; a program looks at the entry whose number is the probe's cookie."""
MOST_ARGUMENTS: Final = 12
"""BPF_USDT_MAX_ARG_CNT of the header."""
SIZES: Final = (1, 2, 4, 8)


class UsdtKind(IntEnum):
    """Where an argument is (`enum __bpf_usdt_arg_type` of the header)."""

    CONST = 0
    REG = 1
    REG_DEREF = 2


@dataclass(frozen=True, slots=True)
class UsdtArgument:
    """One argument; made by `constant`, `register` or `memory`. `size` is in bytes: 1, 2, 4 or 8."""

    kind: UsdtKind
    value: int = 0
    register: str = ""
    size: int = 8
    signed: bool = False

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ArgumentError(f"An argument of {self.size!r} bytes was given; expected 1, 2, 4 or 8.")

    def fields(self, arch: str) -> dict[str, int]:
        """Return the argument as the map holds it."""
        return {
            "val_off": self.value & (1 << 64) - 1,
            "arg_type": int(self.kind),
            "reg_off": PtRegs(arch).offset(self.register) if self.register else 0,
            "arg_signed": int(self.signed),
            "arg_bitshift": 64 - 8 * self.size,
        }


def constant(value: int, *, size: int = 8, signed: bool = False) -> UsdtArgument:
    """Return an argument that is always the same number."""
    check_integer("value", value, -(1 << 63), (1 << 64) - 1)
    return UsdtArgument(UsdtKind.CONST, value, "", size, signed)


def register(name: str, *, size: int = 8, signed: bool = False) -> UsdtArgument:
    """Return an argument that a register holds, in its lowest bytes."""
    return UsdtArgument(UsdtKind.REG, 0, name, size, signed)


def memory(name: str, offset: int = 0, *, size: int = 8, signed: bool = False) -> UsdtArgument:
    """Return an argument in the memory of the process, `offset` bytes from where a register points to.

    The program reads 8 bytes there, whatever the size.
    """
    check_integer("offset", offset, -(1 << 63), (1 << 63) - 1)
    return UsdtArgument(UsdtKind.REG_DEREF, offset, name, size, signed)


def usdt_spec(*arguments: UsdtArgument, cookie: int = 0, arch: str = "") -> Mapping[str, object]:
    """Return the value of `__bpf_usdt_specs` for a tracepoint with these arguments, for programs of `arch`.

    `cookie` is what bpf_usdt_cookie() gives; `arch` is as in `PtRegs`. ArgumentError for more than 12 arguments,
    InputError for a register that the architecture does not have.
    """
    if len(arguments) > MOST_ARGUMENTS:
        raise ArgumentError(f"{len(arguments)} arguments were given; a tracepoint has {MOST_ARGUMENTS} at most.")
    check_integer("cookie", cookie, 0, (1 << 64) - 1)
    unused = [UsdtArgument(UsdtKind.CONST)] * (MOST_ARGUMENTS - len(arguments))
    fields = [each.fields(arch) for each in (*arguments, *unused)]
    return {"args": fields, "usdt_cookie": cookie, "arg_cnt": len(arguments)}
