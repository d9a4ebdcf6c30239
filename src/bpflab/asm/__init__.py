"""Programs in Python: instructions as functions, the assembler, its text form, the disassembler.

Forms that programs repeat are in `bpflab.asm.packet`, `bpflab.asm.count` and `bpflab.asm.chain`.

The names are imported when the first of them is used: the simulated kernel wants `bpflab.asm.insn` and no more, and
under emulation the rest takes a quarter of a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.asm.public import *  # noqa: F403 - its __all__ is the list


def __getattr__(name: str) -> object:
    # Not kept, as in bpflab itself: pytester forgets modules that an inner run imported.
    try:
        value: object = getattr(import_module("bpflab.asm.public"), name)
    except AttributeError:
        raise AttributeError(f"module 'bpflab.asm' has no attribute {name!r}") from None
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *import_module("bpflab.asm.public").__all__})
