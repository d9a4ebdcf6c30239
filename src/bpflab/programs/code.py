"""What may be given as a program's code, and the instruction bytes that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from bpflab.abi.prog_types import ProgType
    from bpflab.lab import Lab


def code_bytes(lab: Lab, code: object, prog_type: ProgType) -> bytes:
    """Return instruction bytes; text and instruction lists are assembled, with the Lab's maps by name."""
    if isinstance(code, (bytes, bytearray, memoryview)):
        return whole_instructions(bytes(code))
    if isinstance(code, (str, Sequence)):
        return _assembled(lab, code, prog_type)
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


def _assembled(lab: Lab, code: str | Sequence[object], prog_type: ProgType) -> bytes:
    from bpflab.asm.assembler import assemble

    assembled = assemble(code, prog_type=prog_type, byteorder=lab.backend.byteorder)
    for name, content in assembled.data.items():
        _data_map(lab, name, content)
    return assembled.relocated({name: lab.maps[name].fileno() for name in assembled.maps if name in lab.maps})


def _data_map(lab: Lab, name: str, content: bytes) -> None:
    from bpflab.abi.map_types import MapType

    section = lab.map(MapType.ARRAY, key="u32", value=len(content), max_entries=1, name=name)
    section[0] = content
