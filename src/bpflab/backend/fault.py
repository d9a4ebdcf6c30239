"""A backend around another one that lets chosen calls fail, or wait, before the inner one sees them."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.commands import Command
from bpflab.backend.base import simulating
from bpflab.backend.calls import Call, read_call
from bpflab.backend.known import known_map, known_program
from bpflab.backend.reload import RefusedLoad
from bpflab.backend.wrap import WrappedBackend
from bpflab.errors import NotSupportedError

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Sequence

    from bpflab.backend.base import Backend, MappedMemory
    from bpflab.backend.known import KnownMap
    from bpflab.backend.match import Match
    from bpflab.backend.schedule import Fault

LOAD: Final = Command.PROG_LOAD.name


@dataclass(frozen=True, slots=True)
class Rule:
    """Calls that match meet the fault: they wait `delay` seconds, then fail with `errno` unless that is 0.

    `log` is what a refused PROG_LOAD writes as the verifier's log.
    """

    match: Match
    fault: Fault
    errno: int
    delay: float = 0.0
    log: str = ""


class FaultBackend(WrappedBackend):
    """Passes every call on to `inner`, unless a rule strikes it. Rules are asked in the order in which they were added.

    It offers no `prepare`, so that no call goes past it. On a simulated kernel a delay moves the clock; elsewhere it
    is slept.
    """

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._refused: RefusedLoad[Rule] = RefusedLoad()
        self._thread = threading.local()

    def add(self, rule: Rule) -> None:
        """Let a rule stand from now on."""
        for name in rule.match.commands:
            self._rules[name] = (*self._rules.get(name, ()), rule)

    def remove(self, fault: Fault) -> None:
        """Take away the rules of a fault."""
        self._rules = {
            name: left
            for name, rules in self._rules.items()
            if (left := tuple(rule for rule in rules if rule.fault is not fault))
        }

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        """The call, which may fail."""
        return self._bpf

    def errno(self) -> int:
        """Return the errno of this thread's last call: the fault's, or the inner backend's."""
        return getattr(self._thread, "errno", 0) or self.inner.errno()

    def close(self, fd: int) -> None:
        """Close; a fault is told after that, as close(2) gives the descriptor back whatever it answers."""
        self.inner.close(fd)
        self._meet("close", fd=fd)

    def dup(self, fd: int) -> int:
        """Duplicate, or fail."""
        self._meet("dup", fd=fd)
        return self.inner.dup(fd)

    def mmap(self, fd: int, length: int, *, writable: bool, offset: int = 0) -> MappedMemory:
        """Map, or fail."""
        self._meet("mmap", fd=fd, length=length, writable=writable, offset=offset)
        return self.inner.mmap(fd, length, writable=writable, offset=offset)

    def poll(self, fds: Sequence[int], timeout: float | None) -> list[int]:
        """Wait, or fail."""
        self._meet("poll", fds=list(fds), timeout=timeout)
        return self.inner.poll(fds, timeout)

    def perf_event_open(self, attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """Open, or fail."""
        self._meet("perf_event_open", attr=attr, pid=pid, cpu=cpu, group_fd=group_fd, flags=flags)
        return self.inner.perf_event_open(attr, pid, cpu, group_fd, flags)

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """Control, or fail."""
        self._meet("ioctl", fd=fd, request=request, argument=argument)
        return self.inner.ioctl(fd, request, argument)

    def mount_bpf_fs(self) -> str:
        """Mount, or fail."""
        self._meet("mount_bpf_fs")
        return self.inner.mount_bpf_fs()

    def unlink(self, path: str) -> None:
        """Remove a pin, or fail."""
        self._meet("unlink", path=path)
        self.inner.unlink(path)

    def _bpf(self, command: int, pointer: ctypes.c_void_p, size: int) -> int:
        rules = self._rules.get(Command(command).name) if self._rules else None
        self._thread.errno = self._struck(rules, Command(command), pointer, size) if rules else 0
        return -1 if self._thread.errno else self.inner.bpf(command, pointer, size)

    def _struck(self, rules: tuple[Rule, ...], command: Command, pointer: ctypes.c_void_p, size: int) -> int:
        if command.name != LOAD and all(rule.match.by_name_alone for rule in rules):
            return self._first(rules, None)
        call = read_call(command, pointer, size, self._known_map, self._known_program)
        again = self._refused.again(call)
        return _refuse(call, again) if again is not None else self._first(rules, call)

    def _meet(self, name: str, **fields: object) -> None:
        rules = self._rules.get(name)
        if not rules:
            return
        call = Call(name, fields)
        fd = fields.get("fd")
        call.map = self._map_name(fd) if isinstance(fd, int) and name != "close" else ""
        if errno := self._first(rules, call):
            raise OSError(errno, os.strerror(errno), name)

    def _first(self, rules: tuple[Rule, ...], call: Call | None) -> int:
        """Ask each rule in turn until one lets the call fail; its errno, or 0."""
        for rule in rules:
            if (call is None or rule.match.fits(call)) and rule.fault.strikes():
                self._wait(rule.delay)
                if rule.errno:
                    return rule.errno if call is None else self._fail(call, rule)
        return 0

    def _fail(self, call: Call, rule: Rule) -> int:
        self._refused.remember(call, rule)
        return _refuse(call, rule) if call.command == LOAD else rule.errno

    def _wait(self, seconds: float) -> None:
        if not seconds:
            return
        try:
            clock = simulating(self.inner, "clock").clock
        except NotSupportedError:
            time.sleep(seconds)
        else:
            clock.advance(seconds=seconds)

    def _known_map(self, fd: int) -> KnownMap | None:
        return known_map(self.inner, fd)

    def _known_program(self, fd: int) -> str | None:
        return known_program(self.inner, fd)

    def _map_name(self, fd: int) -> str:
        found = known_map(self.inner, fd)
        return found.name if found else ""


def _refuse(call: Call, rule: Rule) -> int:
    """Write the log of a refused program, as far as there is room for it, and return the errno."""
    _, address, room = call.room["log_buf"]
    if rule.log and address:
        call.fill("log_buf", rule.log[: max(room - 1, 0)])
    return rule.errno
