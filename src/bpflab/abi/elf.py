"""What of ELF is particular to BPF objects: the machine, and the relocations of Documentation/bpf/llvm_reloc.rst."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

EM_BPF: Final = 247
"""e_machine of a BPF object (linux/elf-em.h)."""


class RelocationType(IntEnum):
    """What a relocation patches, named without R_BPF_."""

    NONE = 0
    LD_IMM64 = 1
    """R_BPF_64_64: the 64-bit immediate of a wide load."""
    ABS64 = 2
    """R_BPF_64_ABS64: eight bytes of data."""
    ABS32 = 3
    """R_BPF_64_ABS32: four bytes of data."""
    NODYLD32 = 4
    """R_BPF_64_NODYLD32: four bytes of .BTF and .BTF.ext, which are right already."""
    CALL = 10
    """R_BPF_64_32: the immediate of a call."""
