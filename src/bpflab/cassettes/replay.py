"""A backend that answers from a cassette: every call must be the one that was recorded."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.backend.capture import Capturer, address_of
from bpflab.backend.journal_entry import Call, Side
from bpflab.backend.translate import GIVE_DESCRIPTORS, translated, translated_side
from bpflab.cassettes.answer import write_reply
from bpflab.cassettes.cassette import CassetteError
from bpflab.cassettes.diverge import ReplayError, ask_difference, command_name, name_of, values_difference
from bpflab.cassettes.numbering import FOREIGN, NO_DESCRIPTOR
from bpflab.cassettes.tape import Tape
from bpflab.cassettes.tape_memory import TapeMemory

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.backend.base import MappedMemory
    from bpflab.backend.journal_entry import Ask, Entry, Opened
    from bpflab.cassettes.cassette import Cassette

LONGEST_SLEEP: Final = 0.05
"""Seconds that a poll which was not recorded waits before it says that nothing came."""


class ReplayBackend:
    """Answers from a cassette. ReplayError tells of the first call that is not the recorded one.

    Closing is not held to its order, nor is polling, which other threads may do at any time. After the first
    divergence, and after `let_go`, nothing is compared any more: `diverged` keeps the error.
    """

    name = "replay"

    def __init__(self, cassette: Cassette, kernel_btf: bytes | None = None) -> None:
        if cassette.machine.byteorder != sys.byteorder:
            raise CassetteError(
                f"{cassette.test}: the cassette was recorded on a {cassette.machine.byteorder}-endian machine, and "
                f"this is a {sys.byteorder}-endian one; record it here, or replay it there."
            )
        self.cassette = cassette
        self.diverged: ReplayError | None = None
        self._tape = Tape(cassette.entries)
        self._memory = TapeMemory()
        self._opened: dict[int, Opened] = {}
        self._open: set[int] = set()
        self._capturer = Capturer(self._opened, cassette.machine.possible_cpus)
        self._kernel_btf = kernel_btf
        self._thread = threading.local()
        self._lock = threading.RLock()
        self._released = False
        self._is_over = False

    def bpf(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        """Answer as recorded; ReplayError when something else was recorded."""
        with self._lock:
            asked = self._capturer.asked(command, address_of(attr), size)
            ask = translated(asked.ask, self._number, self._opened)
            if self._released:
                return self._quiet(ask)
            call = self._take(command_name(command))
            if not isinstance(call, Call) or call.ask.command != command:
                raise self._other(command_name(command), call)
            told = ask_difference(call.ask, ask)
            if told:
                raise self._diverge(f"{name_of(call)}: {told}")
            write_reply(asked, call.reply)
            if call.opened and call.reply.result >= 0:
                self._open.add(call.reply.result)
                self._opened[call.reply.result] = call.opened
            self._catch_up()
            self._thread.errno = call.reply.errno
            return call.reply.result

    def errno(self) -> int:
        """Return the errno of this thread's last call of `bpf` that answered -1."""
        return getattr(self._thread, "errno", 0)

    def close(self, fd: int) -> None:
        """Close a descriptor that was given; EBADF otherwise."""
        with self._lock:
            if fd not in self._open:
                raise OSError(Errno.EBADF, os.strerror(Errno.EBADF), "close")
            self._open.discard(fd)
            self._opened.pop(fd, None)

    def dup(self, fd: int) -> int:
        """Answer as recorded."""
        result = int(self._side("dup", {"fd": fd}))
        with self._lock:
            if fd in self._opened:
                self._opened[result] = self._opened[fd]
        return result

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> MappedMemory:
        """Map memory that holds at each moment what was recorded then."""
        self._side("mmap", {"fd": fd, "length": length, "writable": writable, "offset": offset}, catch_up=False)
        with self._lock:
            mapped = self._memory.map(length, self._opened.get(fd), writable=writable)
            self._catch_up()
            return mapped

    def poll(self, fds: Sequence[int], timeout: float | None) -> list[int]:
        """Return what was ready at the next recorded poll of these descriptors; nothing when there is none."""
        with self._lock:
            ready = self._tape.poll(list(fds))
        if ready is None:
            time.sleep(LONGEST_SLEEP if timeout is None else min(timeout, LONGEST_SLEEP))
        return ready or []

    def perf_event_open(self, attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """Answer as recorded."""
        given = {"attr": attr, "pid": pid, "cpu": cpu, "group_fd": group_fd, "flags": flags}
        return int(self._side("perf_event_open", given))

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """Answer as recorded."""
        return int(self._side("ioctl", {"fd": fd, "request": request, "argument": argument}))

    def fence(self) -> None:
        """Order nothing: nobody else writes."""

    def mount_bpf_fs(self) -> str:
        """Return the recorded path; there is nothing at it."""
        return str(self._side("mount_bpf_fs", {}))

    def unlink(self, path: str) -> None:
        """Answer as recorded."""
        self._side("unlink", {"path": path})

    def kernel_btf(self) -> bytes | None:
        """Return the BTF of the recorded kernel; None when it had none, or nobody asked for it then."""
        return self._kernel_btf

    def shutdown(self) -> None:
        """Give up the memory."""
        self._memory.close()

    @property
    def possible_cpus(self) -> int:
        """The recorded machine's number of CPUs."""
        return self.cassette.machine.possible_cpus

    @property
    def release(self) -> tuple[int, int, int]:
        """The recorded kernel's version."""
        return self.cassette.machine.release

    @property
    def byteorder(self) -> ByteOrder:
        """This machine's byte order, which is the recorded one's."""
        return sys.byteorder

    def body_over(self) -> None:
        """Take what is asked from here on for cleaning up: the test has no more questions."""
        self._is_over = True

    def let_go(self) -> None:
        """Compare nothing from here on: the test failed, and only cleans up."""
        self._released = True

    def check_end(self) -> None:
        """Raise the ReplayError that was raised before, or one for calls of bpf(2) that the test did not make."""
        if self.diverged:
            raise self.diverged
        following = self._tape.next()
        if following and not self._released:
            raise self._ended_early(following)

    def _side(self, name: str, given: dict[str, object], *, catch_up: bool = True) -> Any:  # noqa: ANN401 - of each call
        with self._lock:
            if self._released:
                raise OSError(Errno.EIO, "the replay was given up", name)
            entry = self._take(name)
            if not isinstance(entry, Side) or entry.name != name:
                raise self._other(name, entry)
            told = values_difference(entry.arguments, translated_side(Side(name, given), self._number).arguments, None)
            if told:
                raise self._diverge(f"{name}: {told}")
            if entry.errno:
                raise OSError(entry.errno, os.strerror(entry.errno), name)
            if name in GIVE_DESCRIPTORS and isinstance(entry.result, int):
                self._open.add(entry.result)
            if catch_up:
                self._catch_up()
            return entry.result

    def _take(self, name: str) -> Entry:
        told = self._memory.follow(self._tape.pending())
        if told:
            raise self._diverge(f"before {name}: {told}")
        entry = self._tape.take()
        if entry is None:
            raise self._diverge(f"{name} is asked, and the cassette has no more calls")
        return entry

    def _catch_up(self) -> None:
        """Bring the memory to where it was after the call."""
        self._memory.follow(self._tape.after())

    def _ended_early(self, following: Entry) -> ReplayError:
        return self._diverge(f"The test ended, and the cassette goes on with {name_of(following)}")

    def _other(self, name: str, entry: Entry) -> ReplayError:
        if self._is_over:
            return self._ended_early(entry)
        return self._diverge(f"{name} is asked, and the cassette has {name_of(entry)}")

    def _diverge(self, told: str) -> ReplayError:
        again = self.cassette.again
        advice = f" If the test or its program was changed on purpose, record it again: {again}" if again else ""
        self.diverged = ReplayError(f"Call {self._tape.count} of {self.cassette.test} diverged. {told}.{advice}")
        self._released = True
        return self.diverged

    def _quiet(self, ask: Ask) -> int:
        """Answer a call of a test that is over: questions with nothing; anything else is the divergence again."""
        if ask.command == Command.OBJ_GET_INFO_BY_FD:
            return 0
        if self.diverged:
            raise self.diverged
        self._thread.errno = int(Errno.EIO)
        return -1

    def _number(self, fd: int) -> int:
        return fd if fd in self._open or fd <= 0 or fd >= NO_DESCRIPTOR else FOREIGN
