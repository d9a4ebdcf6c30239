"""A journal: all that was asked of a backend and what it answered, so that it can be read, kept and played again.

Descriptors stand in it as the recorded backend gave them. What can be said of memory that a process shares with the
kernel by mmap: before each call what the process wrote there, after it what the kernel did. A region of more than
LARGEST_REGION bytes is not looked at.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bpflab.abi.attr_descriptors import GIVES
from bpflab.abi.commands import Command
from bpflab.backend.capture import Capturer, address_of
from bpflab.backend.journal_entry import Call, Entry, Machine, Opened, Side
from bpflab.backend.journal_memory import Regions
from bpflab.backend.opened import opened_by, still_open
from bpflab.backend.wrap import WrappedBackend

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Iterator, Sequence

    from bpflab.backend.base import Backend, MappedMemory
    from bpflab.backend.capture import Asked

RUNS: Final = frozenset({Command.PROG_TEST_RUN})


@dataclass(slots=True)
class Journal:
    """The machine that answered, every call in order, and the kernel's BTF if it was asked for."""

    machine: Machine
    entries: list[Entry] = field(default_factory=list)
    kernel_btf: bytes | None = None

    def calls(self) -> Iterator[Call]:
        """Every call of bpf(2), in order."""
        return (entry for entry in self.entries if isinstance(entry, Call))

    def run_at(self, number: int) -> int:
        """Return the index in `entries` of a run of a program, counted from 0; LookupError when there was none."""
        runs = (index for index, entry in enumerate(self.entries) if is_run(entry))
        for count, index in enumerate(runs):
            if count == number:
                return index
        raise LookupError(f"The journal has no run {number}.")


def is_run(entry: Entry) -> bool:
    """Whether an entry is a PROG_TEST_RUN."""
    return isinstance(entry, Call) and entry.ask.command in RUNS


class JournalBackend(WrappedBackend):
    """Passes every call on to `inner` and writes it into `journal`.

    `heard` is called with each entry after it was written. Calls of several threads are written in the order in which
    they are answered.
    """

    def __init__(self, inner: Backend, heard: Callable[[Entry], None] | None = None) -> None:
        super().__init__(inner)
        machine = Machine(inner.name, inner.possible_cpus, inner.release, inner.byteorder)
        self.journal = Journal(machine)
        self._heard = heard
        self._opened: dict[int, Opened] = {}
        self._capturer = Capturer(self._opened, inner.possible_cpus)
        self._regions = Regions(self._write)
        self._lock = threading.RLock()

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        """The call, recorded."""
        return self._recorded

    def _recorded(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        with self._lock:
            asked = self._capturer.asked(command, address_of(attr), size)
            self._regions.look(by_kernel=False)
        result = self.inner.bpf(command, attr, size)
        errno = self.inner.errno() if result < 0 else 0
        with self._lock:
            self._note(asked, result, errno)
            self._regions.look(by_kernel=True)
        return result

    def _note(self, asked: Asked, result: int, errno: int) -> None:
        opened = None
        if result >= 0 and asked.ask.command in GIVES:
            opened = opened_by(self.inner, asked.ask, result)
            self._opened[result] = opened
        self._write(Call(asked.ask, self._capturer.replied(asked, result, errno), opened))

    def _write(self, entry: Entry) -> None:
        self.journal.entries.append(entry)
        if self._heard:
            self._heard(entry)

    def _beside(self, name: str, arguments: dict[str, object], call: Callable[[], object]) -> object:
        with self._lock:
            self._regions.look(by_kernel=False)
        try:
            result = call()
        except OSError as error:
            with self._lock:
                self._write(Side(name, arguments, errno=error.errno or 0))
            raise
        with self._lock:
            self._write(Side(name, arguments, None if name == "mmap" else result))
            self._regions.look(by_kernel=True)
        return result

    def close(self, fd: int) -> None:
        """Close a descriptor of the inner backend, recorded."""
        self._beside("close", {"fd": fd}, lambda: self.inner.close(fd))
        still_open(self._opened, fd)

    def dup(self, fd: int) -> int:
        """Duplicate a descriptor of the inner backend, recorded."""
        result = int(str(self._beside("dup", {"fd": fd}, lambda: self.inner.dup(fd))))
        if fd in self._opened:
            self._opened[result] = self._opened[fd]
        return result

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> MappedMemory:
        """Map memory of the inner backend; what changes in it is recorded with the calls."""
        arguments: dict[str, object] = {"fd": fd, "length": length, "writable": writable, "offset": offset}
        mapped: list[MappedMemory] = []
        self._beside(
            "mmap", arguments, lambda: mapped.append(self.inner.mmap(fd, length, writable=writable, offset=offset))
        )
        with self._lock:
            self._regions.add(mapped[0])
        return mapped[0]

    def poll(self, fds: Sequence[int], timeout: float | None) -> list[int]:
        """Wait for descriptors of the inner backend, recorded."""
        ready: list[int] = []

        def wait() -> list[int]:
            ready.extend(self.inner.poll(fds, timeout))
            return list(ready)

        self._beside("poll", {"fds": list(fds), "timeout": timeout}, wait)
        return ready

    def perf_event_open(self, attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """Open a perf event of the inner backend, recorded."""
        arguments: dict[str, object] = {"attr": attr, "pid": pid, "cpu": cpu, "group_fd": group_fd, "flags": flags}
        opening = lambda: self.inner.perf_event_open(attr, pid, cpu, group_fd, flags)  # noqa: E731 - one line reads best
        return int(str(self._beside("perf_event_open", arguments, opening)))

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """Control a descriptor of the inner backend, recorded."""
        arguments: dict[str, object] = {"fd": fd, "request": request, "argument": argument}
        return int(str(self._beside("ioctl", arguments, lambda: self.inner.ioctl(fd, request, argument))))

    def mount_bpf_fs(self) -> str:
        """Mount a BPF file system of the inner backend, recorded."""
        return str(self._beside("mount_bpf_fs", {}, self.inner.mount_bpf_fs))

    def kernel_btf(self) -> bytes | None:
        """Return the inner backend's kernel BTF, kept in the journal."""
        self.journal.kernel_btf = self.inner.kernel_btf()
        return self.journal.kernel_btf

    def unlink(self, path: str) -> None:
        """Remove a pin of the inner backend, recorded."""
        self._beside("unlink", {"path": path}, lambda: self.inner.unlink(path))
