"""One command sent through the seam: packed, retried while the error is transient, and answered or raised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.errno import errno_meaning, errno_name
from bpflab.backend.attr import Attr, AttrValue
from bpflab.errors import CallFailure, NotPermittedError, OutOfMemoryError, RetryPolicy, SyscallError

if TYPE_CHECKING:
    from bpflab.abi.commands import Command
    from bpflab.abi.layout import Layout
    from bpflab.backend.base import Backend

EPERM = 1
ENOMEM = 12
EACCES = 13

DEFAULT_RETRY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Answer:
    """A command that succeeded: its result (often a descriptor) and its attr, for the fields it wrote."""

    result: int
    attr: Attr


class Caller:
    """Sends commands to one backend under one retry policy."""

    def __init__(self, backend: Backend, retry: RetryPolicy = DEFAULT_RETRY) -> None:
        self.backend = backend
        self.retry = retry

    def __call__(
        self, command: Command, *, layout: Layout | None = None, advice: str = "", **values: AttrValue
    ) -> Answer:
        """Send a command with the named attr fields; SyscallError or its child when the answer is an error."""
        attr = Attr(command, values, layout)
        result = self.send(command, attr)
        if result < 0:
            raise syscall_error(command, self.backend.errno(), values, advice)
        return Answer(result, attr)

    def send(self, command: Command, attr: Attr) -> int:
        """Send a packed attr, retrying transient errors; -1 leaves the reason in the backend's errno()."""
        backend = self.backend
        return self.retry.run(lambda: backend.bpf(command, attr.pointer, attr.size), backend.errno)


def failure(command: Command, errno: int, values: dict[str, AttrValue]) -> CallFailure:
    """Gather the facts of a failed call; buffers are left out of its arguments."""
    plain = {name: value for name, value in values.items() if isinstance(value, int)}
    return CallFailure(command.name, errno, errno_name(errno), errno_meaning(errno), plain)


def syscall_error(command: Command, errno: int, values: dict[str, AttrValue], advice: str = "") -> SyscallError:
    """Build the error of a failed call, of the class that its errno asks for."""
    facts = failure(command, errno, values)
    given = ", ".join(f"{name}={value}" for name, value in facts.arguments.items())
    text = f"bpf({facts.command}) answered {facts.name}: {facts.meaning}. Given: {given or 'nothing'}."
    if errno in {EPERM, EACCES}:
        return NotPermittedError(text, facts, advice or capability_advice(command))
    if errno == ENOMEM:
        return OutOfMemoryError(text, facts, advice)
    return SyscallError(text, facts, advice)


def capability_advice(command: Command) -> str:
    """Name the capabilities that a command wants (capabilities(7))."""
    wanted = "CAP_BPF, with CAP_NET_ADMIN for network programs and CAP_PERFMON for tracing ones"
    return f"{command.name} needs {wanted}; run as root, or use the simulated kernel (--bpf=sim)."


def beside_error(call: str, error: OSError, what: str, advice: str = "") -> SyscallError:
    """Build the error of a call beside bpf(2) that failed, such as mmap, of the class that its errno asks for."""
    number = error.errno or 0
    facts = CallFailure(call, number, errno_name(number), errno_meaning(number))
    kind = {EPERM: NotPermittedError, EACCES: NotPermittedError, ENOMEM: OutOfMemoryError}.get(number, SyscallError)
    return kind(f"{call} of {what} answered {facts.name}: {facts.meaning}.", facts, advice)
