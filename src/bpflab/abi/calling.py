"""Calling conventions: in which registers of `pt_regs` arguments, results and places of return stand.

From the psABI document of each architecture and asm/ptrace.h; the same facts as in headers/bpf/bpf_tracing.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.context_tables import PT_REGS
from bpflab.errors import UnknownArchitectureError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Convention:
    """The registers of one architecture by what they are for, as `context_tables.PT_REGS` names them.

    `arguments` are those of a function call in order, `system_call` those of a system call and `number` which one it
    is; `link` holds the address to return to, and is empty where that stands on the stack.
    """

    arguments: tuple[str, ...]
    system_call: tuple[str, ...]
    number: str
    result: str
    ip: str
    sp: str
    fp: str
    link: str = ""


_TABLE: Final = """
          arguments                system_call              number    result ip       sp  fp  link
x86_64    rdi,rsi,rdx,rcx,r8,r9    rdi,rsi,rdx,r10,r8,r9    orig_rax  rax    rip      rsp rbp -
arm64     x0,x1,x2,x3,x4,x5,x6,x7  x0,x1,x2,x3,x4,x5        x8        x0     pc       sp  x29 x30
riscv64   a0,a1,a2,a3,a4,a5,a6,a7  a0,a1,a2,a3,a4,a5        a7        a0     pc       sp  s0  ra
s390x     r2,r3,r4,r5,r6           r2,r3,r4,r5,r6,r7        r1        r2     psw_addr r15 r11 r14
ppc64le   r3,r4,r5,r6,r7,r8,r9,r10 r3,r4,r5,r6,r7,r8,r9     r0        r3     nip      r1  r31 link
armhf     r0,r1,r2,r3              r0,r1,r2,r3,r4,r5,r6     r7        r0     pc       sp  r11 lr
"""


def _row(arguments: str, system_call: str, number: str, *places: str) -> Convention:
    result, ip, sp, fp, link = places
    registers = tuple(arguments.split(",")), tuple(system_call.split(","))
    return Convention(*registers, number, result, ip, sp, fp, link.strip("-"))


CONVENTIONS: Final[Mapping[str, Convention]] = MappingProxyType(
    {name: _row(*words) for name, *words in (line.split() for line in _TABLE.strip().splitlines()[1:])}
)
"""By architecture, as `architectures` names them."""

SHORT_NAMES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "x86_64": MappingProxyType(
            {
                name.replace("r", "", 1): name
                for name in PT_REGS["x86_64"].split()
                if name.startswith("r") and name[1].isalpha()
            }
            | {"flags": "eflags", "orig_ax": "orig_rax"}
        ),
        "s390x": MappingProxyType({f"gpr{n}": f"r{n}" for n in range(16)}),
    }
)
"""Other names of registers: those that the kernel's own `struct pt_regs` has."""


def convention(architecture: str) -> Convention:
    """Return the convention of an architecture; UnknownArchitectureError with those that are known."""
    try:
        return CONVENTIONS[architecture]
    except KeyError:
        raise UnknownArchitectureError(
            f"No calling convention is known for {architecture!r}; known are {', '.join(CONVENTIONS)}."
        ) from None
