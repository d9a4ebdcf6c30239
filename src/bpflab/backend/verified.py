"""A backend that hears what the verifier did with each program: it asks for the statistics along with each load."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.abi.prog_types import ProgType
from bpflab.backend.wrap import WrappedBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.backend.base import Backend

    Hear = Callable[[str, ProgType, str], None]

LOAD: Final = LAYOUTS[Command.PROG_LOAD]
STATISTICS: Final = 4
"""BPF_LOG_STATS: the log ends with what the verifier did, and has nothing else."""
LOG_SIZE: Final = 1 << 14


class VerifiedBackend(WrappedBackend):
    """Passes everything on; `hear` gets name, type and statistics of each program that was loaded.

    A load that asks for a log of its own is passed on as it is, and is not heard of.
    """

    def __init__(self, inner: Backend, hear: Hear) -> None:
        super().__init__(inner)
        self._hear = hear

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        """The call, with statistics asked for."""
        return self._call

    def _call(self, command: int, pointer: ctypes.c_void_p, size: int) -> int:
        if command != Command.PROG_LOAD:
            return self.inner.bpf(command, pointer, size)
        attr = bytearray(ctypes.string_at(pointer, size).ljust(LOAD.size, b"\0"))
        if LOAD.get(attr, "log_level"):
            return self.inner.bpf(command, pointer, size)
        return self._load(attr)

    def _load(self, attr: bytearray) -> int:
        log = ctypes.create_string_buffer(LOG_SIZE)
        LOAD.set(attr, "log_level", STATISTICS)
        LOAD.set(attr, "log_size", LOG_SIZE)
        LOAD.set(attr, "log_buf", ctypes.addressof(log))
        buffer = (ctypes.c_char * LOAD.size).from_buffer(attr)
        fd = self.inner.bpf(Command.PROG_LOAD, ctypes.c_void_p(ctypes.addressof(buffer)), LOAD.size)
        if fd >= 0:
            name = bytes(LOAD.unpack(attr)["prog_name"]).rstrip(b"\0").decode(errors="replace")
            self._hear(name, ProgType(LOAD.get(attr, "prog_type")), log.value.decode(errors="replace"))
        return fd
