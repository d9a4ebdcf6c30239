"""BTF for the functions of an assembled program: the verifier takes callbacks only if it knows them by BTF."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from bpflab.abi.btf import FuncLinkage, IntEncoding
from bpflab.abi.insn import WideSource

if TYPE_CHECKING:
    from bpflab.asm.assembled import Assembled

MAX_ARGUMENTS = 5


def takes_addresses(assembled: Assembled) -> bool:
    """Whether the program loads the address of one of its functions."""
    return any(insn.is_wide and insn.src == WideSource.FUNC for insn in assembled.insns)


def function_info(assembled: Assembled, name: str) -> tuple[bytes, bytes]:
    """Return BTF with a function for each subprogram, and the func_info records that place them."""
    from bpflab.obj.btf import Btf
    from bpflab.obj.btf_types import Func, FuncProto, Int, Parameter

    number, prototype, first = 1, 2, 3
    arguments = tuple(Parameter(name=f"a{index}", type_id=number) for index in range(1, MAX_ARGUMENTS + 1))
    functions = sorted({0: name or "program", **assembled.subprograms}.items())
    types = [
        Int(name="long", size=8, bits=64, encoding=IntEncoding.SIGNED),
        FuncProto(return_id=number, parameters=arguments),
        *(Func(name=_identifier(called), type_id=prototype, linkage=FuncLinkage.STATIC) for _, called in functions),
    ]
    code = "<2I" if assembled.byteorder == "little" else ">2I"
    records = (struct.pack(code, slot, first + index) for index, (slot, _) in enumerate(functions))
    return Btf.build(types, assembled.byteorder).data, b"".join(records)


def _identifier(name: str) -> str:
    return "".join(char if char.isascii() and (char.isalnum() or char == "_") else "_" for char in name)
