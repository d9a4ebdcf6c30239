"""A backend that tells of each run. Imported only where somebody listens: it brings bpflab with it."""

from __future__ import annotations

import ctypes
import hashlib
import sys
from typing import TYPE_CHECKING

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.abi.insn import INSN_SIZE, LD_IMM64
from bpflab.abi.prog_types import ProgType
from bpflab.backend.wrap import WrappedBackend
from bpflab.programs.tally import instruction_counter
from pytest_bpflab.runs import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.backend.base import Backend

LOAD = LAYOUTS[Command.PROG_LOAD]
REFERENCE = 0xF0 if sys.byteorder == "little" else 0x0F
"""The bits of an instruction's second byte that say what its immediate refers to."""
RUN = LAYOUTS[Command.PROG_TEST_RUN]


class WatchingBackend(WrappedBackend):
    """Passes everything on to `inner`, and tells `hear` of each PROG_TEST_RUN with its answer."""

    def __init__(self, inner: Backend, hear: Callable[[Run], None]) -> None:
        super().__init__(inner)
        self._hear = hear
        self._kernel = ".".join(map(str, inner.release))
        self._executed = instruction_counter(inner)
        self._programs: dict[int, tuple[str, str, ProgType]] = {}

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        """The call, watched."""
        return self._watched

    def close(self, fd: int) -> None:
        """Close, and forget the program that the descriptor stood for."""
        self._programs.pop(fd, None)
        self.inner.close(fd)

    def _watched(self, command: int, pointer: ctypes.c_void_p, size: int) -> int:
        before = self._executed() if self._executed and command == Command.PROG_TEST_RUN else 0
        answer = self.inner.bpf(command, pointer, size)
        if command == Command.PROG_LOAD and answer >= 0:
            self._programs[answer] = _loaded(_attr(pointer, size, LOAD.size))
        elif command == Command.PROG_TEST_RUN:
            steps = self._executed() - before if self._executed else 0
            self._hear(self._run(_attr(pointer, size, RUN.size), 0 if answer >= 0 else self.inner.errno(), steps))
        return answer

    def _run(self, attr: bytearray, errno: int, instructions: int) -> Run:
        field = {name: RUN.get(attr, name) for name in (field.name for field in RUN.fields)}
        program, digest, prog_type = self._programs.get(field["prog_fd"], ("", "", ProgType.UNSPEC))
        return Run(
            backend=self.name,
            program=program,
            digest=digest,
            type=prog_type,
            packet=_copy(field["data_in"], field["data_size_in"]),
            ctx=_copy(field["ctx_in"], field["ctx_size_in"]),
            repeat=field["repeat"],
            retval=field["retval"],
            output=b"" if errno else _copy(field["data_out"], field["data_size_out"]),
            ctx_output=b"" if errno else _copy(field["ctx_out"], field["ctx_size_out"]),
            duration=field["duration"],
            errno=errno,
            kernel=self._kernel,
            instructions=instructions,
        )


def _attr(pointer: ctypes.c_void_p, size: int, wanted: int) -> bytearray:
    return bytearray(ctypes.string_at(pointer, size).ljust(wanted, b"\0"))


def _loaded(attr: bytearray) -> tuple[str, str, ProgType]:
    name = bytes(LOAD.unpack(attr)["prog_name"]).rstrip(b"\0").decode(errors="replace")
    insns = bytearray(_copy(LOAD.get(attr, "insns"), LOAD.get(attr, "insn_cnt") * INSN_SIZE))
    for at in range(0, len(insns), INSN_SIZE):
        if insns[at] == LD_IMM64 and insns[at + 1] & REFERENCE:
            insns[at + 4 : at + 8] = bytes(4)  # a descriptor, which differs from load to load
    return name, hashlib.sha256(insns).hexdigest(), ProgType(LOAD.get(attr, "prog_type"))


def _copy(address: int, size: int) -> bytes:
    return ctypes.string_at(address, size) if address and size else b""
