"""What may be given as a program's code, and the instruction bytes that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.errors import ArgumentError, NotSupportedError
from bpflab.programs.functions import function_info, takes_addresses

if TYPE_CHECKING:
    from bpflab.abi.prog_types import ProgType
    from bpflab.asm.assembled import Assembled
    from bpflab.lab import Lab


@dataclass(frozen=True, slots=True)
class Code:
    """Instruction bytes, ready to load; where functions must be known by BTF, that BTF and its func_info records."""

    insns: bytes
    btf: bytes = b""
    func_info: bytes = b""


def read_code(lab: Lab, code: object, prog_type: ProgType, name: str) -> Code:
    """Return what is loaded; text and instruction lists are assembled, with the Lab's maps by name."""
    if isinstance(code, (bytes, bytearray, memoryview)):
        return Code(whole_instructions(bytes(code)))
    if isinstance(code, (str, Sequence)):
        return _assembled(lab, code, prog_type, name)
    raise ArgumentError(
        f"code is a {type(code).__name__}; expected instruction bytes, assembler text, or a list of instructions."
    )


def whole_instructions(insns: bytes) -> bytes:
    """Check that bytes are whole instructions; ArgumentError otherwise."""
    if not insns or len(insns) % 8:
        raise ArgumentError(
            f"A program is given as {len(insns)} bytes; expected a positive multiple of 8, one instruction each."
        )
    return insns


def _assembled(lab: Lab, code: str | Sequence[object], prog_type: ProgType, name: str) -> Code:
    from bpflab.asm.assembler import assemble

    assembled = assemble(code, prog_type=prog_type, byteorder=lab.backend.byteorder)
    for section, content in assembled.data.items():
        _data_map(lab, section, content)
    descriptors = {used: lab.maps[used].fileno() for used in assembled.maps if used in lab.maps}
    insns = assembled.relocated(descriptors, _kfunc_ids(lab, assembled))
    return Code(insns, *function_info(assembled, name)) if takes_addresses(assembled) else Code(insns)


def _kfunc_ids(lab: Lab, assembled: Assembled) -> dict[str, int]:
    if not assembled.kfunc_refs:
        return {}
    from bpflab.abi.btf import BtfKind
    from bpflab.obj.btf import Btf

    raw = lab.backend.kernel_btf()
    if raw is None:
        called = assembled.kfunc_refs[0].name
        raise NotSupportedError(f"The program calls the kernel function {called!r}, and {lab.backend.name} has no BTF.")
    types = Btf(raw)
    return {ref.name: types.require(ref.name, BtfKind.FUNC) for ref in assembled.kfunc_refs}


def _data_map(lab: Lab, name: str, content: bytes) -> None:
    from bpflab.abi.map_types import MapType

    section = lab.map(MapType.ARRAY, key="u32", value=len(content), max_entries=1, name=name)
    section[0] = content
