"""The file that reads an iterator, as its program writes it (fs/seq_file.c)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.sim.structs import KernelStruct

ROOM: Final = 8 << 12
"""Bytes that one call of a program may add at most: the buffer of bpf_seq_read (kernel/bpf/bpf_iter.c)."""


@dataclass(slots=True, eq=False)
class SeqFile:
    """A `struct seq_file`; `data` is what programs wrote."""

    struct: KernelStruct
    data: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        """What programs wrote, as text."""
        return self.data.decode(errors="replace")

    def write(self, data: bytes) -> bool:
        """Add bytes; false when they do not fit, and the file is full then."""
        fits = len(self.data) + len(data) < ROOM
        self.data += data if fits else b""
        return fits

    def __int__(self) -> int:
        return self.struct.address

    __index__ = __int__
