"""CO-RE relocations: what an instruction wants to know of a kernel type (linux/bpf.h, enum bpf_core_relo_kind)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class CoreKind(IntEnum):
    """What a relocation asks, named without BPF_CORE_."""

    FIELD_BYTE_OFFSET = 0
    FIELD_BYTE_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT_U64 = 4
    FIELD_RSHIFT_U64 = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMVAL_EXISTS = 10
    ENUMVAL_VALUE = 11
    TYPE_MATCHES = 12

    @property
    def about_field(self) -> bool:
        """Whether the question is about a field of a type."""
        return self <= CoreKind.FIELD_RSHIFT_U64

    @property
    def about_enumerator(self) -> bool:
        """Whether the question is about a value of an enum."""
        return self in {CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE}


POISON_IMM: Final = 0xBAD2310
"""The helper number that libbpf calls where an instruction's field or value is not in the kernel.

No helper has it, so the verifier refuses the program unless the instruction is unreachable.
"""

FLAVOUR: Final = "___"
"""What parts a type's name from its flavour, `task_struct___old`, which does not count when names are compared."""
