"""A backend that answers from a script: what a test laid down, and sensible defaults for the rest; with a log of calls.

Nothing is asked of any kernel. Maps remember their elements, programs are not run.
"""

from __future__ import annotations

import mmap
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, NoReturn

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.info import MAP_INFO
from bpflab.arguments import check_integer
from bpflab.backend.calls import Call, read_call
from bpflab.backend.known import KnownMap, map_of
from bpflab.backend.match import Match
from bpflab.backend.mock_defaults import CREATES, DEFAULTS, create, info_bytes, no_answer, nothing, wait_in_vain
from bpflab.backend.mock_objects import MockMap, MockObjects, refusal
from bpflab.backend.mock_script import Default, Script
from bpflab.backend.reload import RefusedLoad
from bpflab.errors import UnscriptedCallError, UnusedAnswersError

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.backend.base import MappedMemory
    from bpflab.backend.match import Where
    from bpflab.backend.mock_script import Step

FREE: Final = frozenset({"close", "dup", "mount_bpf_fs", "unlink", "OBJ_GET_INFO_BY_FD"})
"""Calls that strict mode lets pass: the library makes them by itself, and they say nothing new."""


class MockBackend:
    """Answers as it was told with `on`, and by default as a kernel that remembers maps and runs no program.

    With `strict`, a call that is not scripted is an UnscriptedCallError, raised where it is made. `possible_cpus`,
    `release` and `byteorder` are what the library is told of the machine. `objects` has what was created.
    """

    name = "mock"

    def __init__(
        self,
        *,
        strict: bool = False,
        possible_cpus: int = 4,
        release: tuple[int, int, int] = (6, 18, 0),
        byteorder: ByteOrder = sys.byteorder,
    ) -> None:
        check_integer("possible_cpus", possible_cpus, 1, 1 << 16)
        self.strict = strict
        self.possible_cpus = possible_cpus
        self.release = release
        self.byteorder: ByteOrder = byteorder
        self.objects = MockObjects()
        self.scripts: list[Script] = []
        self.log: list[Call] = []
        self._refused: RefusedLoad[Step] = RefusedLoad()
        self._mounts = 0
        self._lock = threading.RLock()
        self._thread = threading.local()

    def on(self, command: object, *, where: Where | None = None, **fields: object) -> Script:
        """Begin a script for calls of this name: a command such as `MAP_UPDATE_ELEM`, a pattern (`MAP_*`), or `mmap`.

        `fields` are attr fields with the value they must have, or a function of it; buffers are bytes (or an
        integer, where they have at most 8), `map` and `program` the names of what the call is about. `where` is a
        function of the whole Call. Scripts are asked in the order in which they were begun.
        """
        script = Script(Match(command, fields, where))
        self.scripts.append(script)
        return script

    def calls(self, command: object = "*", *, where: Where | None = None, **fields: object) -> list[Call]:
        """Return the calls that were made, oldest first: those of this name whose fields match as in `on`."""
        match = Match(command, fields, where)
        return [call for call in self.log if match.fits(call)]

    def unused(self) -> list[str]:
        """Say which scripted answers were not asked for as often as they were laid down."""
        return [said for script in self.scripts for said in script.unused()]

    def check_used(self) -> None:
        """Raise UnusedAnswersError when scripted answers are left."""
        if left := self.unused():
            made = ", ".join(dict.fromkeys(call.command for call in self.log)) or "none at all"
            raise UnusedAnswersError(
                "Scripted answers were not used: " + "; ".join(left) + f". The calls that were made: {made}."
            )

    @property
    def open_fds(self) -> list[int]:
        """The descriptors that were given out and not closed."""
        return sorted(self.objects.fds)

    def bpf(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        """Answer bpf(2) as scripted, or by default; the call is logged with its attr decoded."""
        call = read_call(Command(command), attr, size, self.known_map, self.known_program)
        answer = self._answer(call)
        if answer < 0:
            self._thread.errno = -answer
            return -1
        return answer

    def errno(self) -> int:
        """Return the errno of this thread's last call of `bpf` that answered -1."""
        return getattr(self._thread, "errno", 0)

    def known_map(self, fd: int) -> KnownMap | None:
        """Return the name and sizes of a map that was created here."""
        target = self.objects.fds.get(fd)
        if not isinstance(target, MockMap):
            return None
        if target.known is None:
            target.known = map_of(MAP_INFO.unpack(info_bytes(target, MAP_INFO)), self.possible_cpus)
        return target.known

    def known_program(self, fd: int) -> str | None:
        """Return the name of a program that was loaded here."""
        target = self.objects.fds.get(fd)
        return target.name if target is not None and target.kind == "program" else None

    def close(self, fd: int) -> None:
        """Forget a descriptor; OSError (EBADF) when it is not open."""
        self._beside("close", lambda _call: self._closed(fd), fd=fd)

    def dup(self, fd: int) -> int:
        """Return a second descriptor of the same object."""
        return self._beside("dup", lambda _call: self.objects.open(self.objects.get(fd)), fd=fd).result or 0

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> MappedMemory:
        """Return memory: the scripted one, or `length` bytes of zeros."""
        call = self._beside("mmap", no_answer, fd=fd, length=length, writable=writable, offset=offset)
        memory: Any = call.out.get("memory")
        return memory if memory is not None else mmap.mmap(-1, length)

    def poll(self, fds: Sequence[int], timeout: float | None) -> list[int]:
        """Return the scripted descriptors that are ready; by default none, when the time is over."""
        call = self._beside("poll", wait_in_vain, fds=list(fds), timeout=timeout)
        ready: Any = call.out.get("ready")
        return list(ready or ())

    def perf_event_open(self, attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """Return a fresh descriptor."""
        fields = {"attr": attr, "pid": pid, "cpu": cpu, "group_fd": group_fd, "flags": flags}
        return self._beside("perf_event_open", self._event, **fields).result or 0

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """Answer 0."""
        return self._beside("ioctl", no_answer, fd=fd, request=request, argument=argument).result or 0

    def fence(self) -> None:
        """Order nothing."""

    def mount_bpf_fs(self) -> str:
        """Return the root of a new tree of pins; it is no path of a real file system."""
        self._beside("mount_bpf_fs", no_answer)
        self._mounts += 1
        return f"/mock/bpf{self._mounts}"

    def unlink(self, path: str) -> None:
        """Remove a pin; OSError (ENOENT) when there is none."""
        self._beside("unlink", lambda _call: self._unpinned(path), path=path)

    def kernel_btf(self) -> bytes | None:
        """Return None: a mock has no types."""
        return None

    def shutdown(self) -> None:
        """Forget the pins; the log stays."""
        self.objects.pins.clear()

    def _beside(self, name: str, default: Callable[[Call], int], **fields: object) -> Call:
        call = Call(name, fields)
        fd = fields.get("fd")
        known = self.known_map(fd) if isinstance(fd, int) else None
        call.map = known.name if known else ""
        answer = self._answer(call, default)
        if answer < 0:
            raise refusal(Errno(-answer))
        return call

    def _answer(self, call: Call, default: Callable[[Call], int] | None = None) -> int:
        with self._lock:
            self.log.append(call)
            step = self._step_for(call)
            if step is None and self.strict and call.command not in FREE:
                self._unscripted(call)
            try:
                answer = self._scripted(call, step, default or self._default)
            except OSError as error:
                answer = -(error.errno or Errno.EIO)
            if answer < 0 and step is not None:
                self._refused.remember(call, step)
            call.settle(max(answer, -1), max(-answer, 0))
            return answer

    def _step_for(self, call: Call) -> Step | None:
        if (step := self._refused.again(call)) is not None:
            return step
        step = next((found for script in self.scripts if (found := script.next_step(call))), None)
        if step is not None:
            step.used += 1
        return step

    def _scripted(self, call: Call, step: Step | None, default: Callable[[Call], int]) -> int:
        answer = default(call) if step is None else step.answer(call)
        if isinstance(answer, Default):
            return default(call)
        if answer is not None and answer < 0:
            return answer
        if call.command in Command.__members__ and Command[call.command] in CREATES:
            return create(self.objects, call, answer) if step is not None else answer or 0
        return answer or 0

    def _default(self, call: Call) -> int:
        return DEFAULTS.get(call.command, nothing)(self.objects, call)

    def _event(self, call: Call) -> int:
        return self.objects.create("event", "", call.fields)

    def _closed(self, fd: int) -> int:
        self.objects.get(fd)
        del self.objects.fds[fd]
        return 0

    def _unpinned(self, path: str) -> int:
        if self.objects.pins.pop(path, None) is None:
            raise refusal(Errno.ENOENT)
        return 0

    def _unscripted(self, call: Call) -> NoReturn:
        scripted = "; ".join(map(repr, self.scripts)) or "nothing"
        raise UnscriptedCallError(
            f"The strict mock was called with {call.describe()}, which is not scripted (or its answers are used up). "
            f"Scripted is {scripted}. Add .on({call.command!r}).answers(...); answers() alone is the default answer."
        )
