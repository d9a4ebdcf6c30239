"""The packets of each run, as raw as they came. Imported with the first Lab: it brings bpflab.

The log of calls, from which runs are made again for their trace, has them anyway; without one a backend keeps them.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.abi.prog_types import ProgType
from bpflab.backend.base import Preparing
from bpflab.backend.journal_entry import Call
from bpflab.backend.wrap import WrappedBackend
from bpflab.trace.log import call_log
from bpflab.trace.made import MadeRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.backend.base import Backend
    from bpflab.backend.journal_entry import Entry
    from bpflab.trace.made import Made

RUN: Final = int(Command.PROG_TEST_RUN)
LOAD: Final = int(Command.PROG_LOAD)
FIELDS: Final = struct.Struct("=IIIIQQ")
"""The beginning of PROG_TEST_RUN's attr: prog_fd, retval, data_size_in, data_size_out, data_in, data_out."""
MOST: Final = 500
"""Runs that are kept of each test, the last ones."""


class KeptRun(NamedTuple):
    """A run: its number in the test (from 1), its program, the packets, and the errno of a refusal or 0.

    A tuple, because one is made of each run, and a frozen dataclass takes five times as long.
    """

    number: int
    program: str
    type: ProgType
    packet: bytes
    output: bytes
    retval: int
    errno: int


class Keeper:
    """The runs of the test that is running."""

    def __init__(self) -> None:
        self._kept = deque[KeptRun](maxlen=MOST)
        self.count = 0

    def add(self, program: tuple[str, ProgType], packet: bytes, output: bytes, retval: int, errno: int) -> None:
        """Keep a run."""
        self.count += 1
        self._kept.append(KeptRun(self.count, *program, packet, output, retval, errno))

    @property
    def last(self) -> KeptRun | None:
        """The last run of this test; None before the first."""
        return self._kept[-1] if self._kept else None

    def has_output(self, packet: bytes) -> bool:
        """Whether a packet came out of a run that was kept."""
        return any(run.output == packet for run in self._kept)

    def take(self) -> list[KeptRun]:
        """Return the runs that were kept, and forget them."""
        kept = list(self._kept)
        self._kept.clear()
        self.count = 0
        return kept


KEEPER: Final = Keeper()
"""One for the process, in which tests run one after the other."""
UNKNOWN: Final = ("", ProgType.UNSPEC)


class LogReader:
    """Keeps the runs of a log of calls, which tells it what it was given."""

    def __init__(self) -> None:
        self._programs: dict[int, tuple[str, ProgType]] = {}

    def __call__(self, made: Entry | Made) -> None:
        """Take a run, or note the name of a program that was loaded."""
        if isinstance(made, MadeRun):
            fd = int.from_bytes(made.attr[:4], sys.byteorder)
            KEEPER.add(self._programs.get(fd, UNKNOWN), made.packet, made.output, made.retval, made.errno)
        elif isinstance(made, Call) and made.ask.command == LOAD and made.reply.result >= 0:
            fields = made.ask.fields
            name = bytes(fields.get("prog_name", b"")).rstrip(b"\0").decode(errors="replace")
            self._programs[made.reply.result] = name, _type(int(fields.get("prog_type", 0)))


def keeps(backend: Backend) -> bool:
    """Whether the runs of a backend are kept by its log."""
    return call_log(backend) is not None


class KeepingBackend(WrappedBackend):
    """Passes everything on to `inner`, and keeps what each PROG_TEST_RUN was given and answered."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self._programs: dict[int, tuple[str, ProgType]] = {}
        self._inner_bpf = inner.bpf

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        """The call, with its runs kept."""
        return self._called

    def prepare(self, command: int, attr: ctypes.c_void_p, size: int) -> Callable[[], int]:
        """Bind a call on elements as `inner` does, whose answers are not kept; others go through this backend."""
        if command not in {RUN, LOAD} and isinstance(self.inner, Preparing):
            return self.inner.prepare(command, attr, size)
        return partial(self._called, command, attr, size)

    def _called(self, command: int, pointer: ctypes.c_void_p, size: int) -> int:
        answer = self._inner_bpf(command, pointer, size)
        if command == RUN:
            self._keep(pointer, 0 if answer >= 0 else self.inner.errno())
        elif command == LOAD and answer >= 0:
            self._programs[answer] = _loaded(ctypes.string_at(pointer, size))
        return answer

    def _keep(self, pointer: ctypes.c_void_p, errno: int) -> None:
        fd, retval, size, out_size, at, out_at = FIELDS.unpack(ctypes.string_at(pointer, FIELDS.size))
        output = ctypes.string_at(out_at, out_size) if out_at and not errno else b""
        packet = ctypes.string_at(at, size) if at else b""
        KEEPER.add(self._programs.get(fd, UNKNOWN), packet, output, retval, errno)


def _loaded(attr: bytes) -> tuple[str, ProgType]:
    layout = LAYOUTS[Command.PROG_LOAD]
    whole = attr.ljust(layout.size, b"\0")
    name = bytes(layout.unpack(whole)["prog_name"]).rstrip(b"\0").decode(errors="replace")
    return name, _type(layout.get(whole, "prog_type"))


def _type(number: int) -> ProgType:
    return ProgType(number) if number in list(ProgType) else ProgType.UNSPEC
