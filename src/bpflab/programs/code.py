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
    raise NotImplementedError
