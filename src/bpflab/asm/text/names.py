"""What a writer of text knows beside the instructions: names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.asm.insn import Insn


@dataclass(frozen=True, slots=True)
class Names:
    """Names to write instead of numbers: labels by slot, maps by fd, kfuncs by BTF id, helpers by id."""

    labels: Mapping[int, str] = field(default_factory=dict)
    maps: Mapping[int, str] = field(default_factory=dict)
    kfuncs: Mapping[int, str] = field(default_factory=dict)
    helper: Callable[[int], str] = lambda _: ""


Writer: TypeAlias = "Callable[[Insn, int, Names], str]"
"""Writes the instruction at a slot as text, or "" if a field is set that the text cannot show."""
