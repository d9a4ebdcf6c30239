"""What can go wrong, by condition.

One root, `BpfError`. A child is named for the condition, not for the place that found it, and its
text says what was given, what was expected and what to do. Errors that answer a system call carry
the command, the errno and the arguments that mattered.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

EINTR: Final = 4
EAGAIN: Final = 11
EBUSY: Final = 16


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a batch of map elements came before its error.

    `done` are the keys that were done, in order; `rest` gives what was not, the element that failed first (pairs for
    an update, keys for a deletion); `taken` are the entries that lookup_and_delete_batch had taken out of the map.
    """

    done: list[Any] = field(default_factory=list)
    rest: Iterable[Any] = ()
    taken: dict[Any, Any] = field(default_factory=dict)


class BpfError(Exception):
    """Root of everything this library raises for a condition that its user can meet.

    `batch` says how far a batch of map elements came, where the error stopped one.
    """

    batch: BatchProgress | None = None


class ArgumentError(BpfError, ValueError):
    """An argument has the wrong type, range or combination; nothing was sent to a kernel."""


class ClosedError(BpfError):
    """A Lab, map, program, link or consumer was used after it was closed."""


class NotSupportedError(BpfError):
    """This backend, kernel or machine cannot do what was asked, whatever the arguments."""


class UnknownArchitectureError(NotSupportedError):
    """No table of system call numbers and layouts covers this machine."""


class UnknownHelperError(BpfError, LookupError):
    """A helper's name or id is not in the helper table."""


@dataclass(frozen=True, slots=True)
class CallFailure:
    """The facts of a failed system call, as every error that answers one carries them.

    `command` is the command's name, `errno` a positive number, `name` its symbol such as `ENOENT`,
    `arguments` the attr fields that matter, by name.
    """

    command: str
    errno: int
    name: str
    meaning: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)


class SyscallError(BpfError):
    """A call to the kernel (or to what stands in for it) failed.

    Attributes: `failure` the facts (command, errno, arguments), `advice` one sentence or empty.
    """

    def __init__(self, text: str, failure: CallFailure, advice: str = "") -> None:
        super().__init__(text if not advice else f"{text} {advice}")
        self.failure = failure
        self.advice = advice

    @property
    def errno(self) -> int:
        """The positive errno of the answer."""
        return self.failure.errno

    @property
    def command(self) -> str:
        """The name of the command that failed, such as `MAP_CREATE`."""
        return self.failure.command


class NotPermittedError(SyscallError):
    """The process lacks a capability, which the text names."""


class OutOfMemoryError(SyscallError):
    """The kernel could not find or account the memory (ENOMEM)."""


class MapError(BpfError):
    """A map could not do what was asked of it; `failure` has the facts of the call, where one was made."""

    failure: CallFailure | None = None


class MapKeyError(MapError, KeyError):
    """The key is not in the map (ENOENT). Also a KeyError, as a mapping's user expects."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError would show the repr of the sentence


class MapKeyExistsError(MapError):
    """The key is in the map already, and NOEXIST was asked for (EEXIST)."""


class MapFullError(MapError):
    """The map holds max_entries entries, or the index lies past its end (E2BIG)."""


class MapBusyError(MapError):
    """The map or element is in use, frozen or locked by somebody else (EBUSY)."""


class MapTypeError(MapError, TypeError):
    """The operation does not exist for this type of map."""


class CodecError(BpfError, ValueError):
    """A value does not fit the key or value type: its width, sign, length or field names."""


class PinError(BpfError):
    """A path could not be pinned or opened: no BPF file system, a name in use, another type."""


class ProgramError(BpfError):
    """A program could not be loaded, run or inspected."""


class InputError(ProgramError, ValueError):
    """What `run()` was given cannot be given to a program of this type; says why, in words."""


class RefusedInputError(InputError, SyscallError):
    """The kernel refused what was given to a run, and the text says why; `failure` has the facts of the call."""


class CannotRunError(ProgramError, NotSupportedError):
    """Programs of this type cannot be run on demand here; says what to do instead."""


class FaultError(ProgramError):
    """The simulator stopped a program at an unsafe act; says which, where, and what it held.

    Attributes: `kind` in words (`out of bounds`, `null pointer`, ...), `program` its name, `insn` the slot of the
    instruction, `source` its source line or empty (`file` and `line` are the place of it, with the path that the
    compiler recorded; 0 where it is unknown), `registers` r0 to r10 (None: never set), `trail` the slots of the last
    instructions, oldest first.
    """

    def __init__(
        self,
        text: str,
        *,
        kind: str,
        program: str,
        insn: int = -1,
        source: str = "",
        file: str = "",
        line: int = 0,
        registers: tuple[int | None, ...] = (),
        trail: tuple[int, ...] = (),
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.program = program
        self.insn = insn
        self.source = source
        self.file = file
        self.line = line
        self.registers = registers
        self.trail = trail


class AssemblyError(BpfError):
    """An instruction, label or text of a program is not valid; shows it as it was written."""


class ObjectError(BpfError):
    """A file is not a BPF object that can be loaded, or lacks the part that was asked for."""


class NoSuchNameError(ObjectError, AttributeError, KeyError):
    """An object has no map or program of that name; names the near ones. Also what getattr and [] expect."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError would show the repr of the sentence


class BtfError(ObjectError):
    """BTF data is malformed, or lacks the type that was asked for."""


class CompileError(BpfError):
    """The C compiler refused a source; the text is the compiler's own message."""


class WaitTimeoutError(BpfError, TimeoutError):
    """What was waited for did not happen in the given time."""


class HandlerErrors(BpfError, ExceptionGroup[Exception]):  # noqa: N818 - several errors, as `exceptions` holds them
    """Callbacks of a consumer failed while it ran; the group holds what they raised."""


class UnscriptedCallError(BpfError):
    """A strict mock was called in a way that nobody had scripted; says the call and what was scripted."""


class UnusedAnswersError(BpfError, AssertionError):
    """Answers that were scripted for a mock were never asked for; says which, and what was called."""


class FaultMissedError(BpfError, AssertionError):
    """A fault that was expected to strike never did; says what it waits for and what it saw."""


class AttachError(BpfError):
    """A program could not be attached to a hook."""


class TraceError(BpfError):
    """A run could not be made again for its trace."""


class RunnerError(BpfError):
    """A Python of another architecture could not be had or started; says what failed and what to do."""


class BenchError(BpfError):
    """Benchmarks could not be measured, kept, compared or drawn; says what failed and what to do."""


class UnsetFieldWarning(UserWarning):
    """A program read a field of a kernel's object that the test did not give."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a transient error is tried again, and how long to wait before it.

    EINTR is tried again at once; EAGAIN and EBUSY after `delay` seconds, doubled each time. `times` counts
    the further tries; 0 turns it off.
    """

    times: int = 3
    delay: float = 0.001

    def run(self, call: Callable[[], int], errno: Callable[[], int]) -> int:
        """Call until the answer is no transient error or the tries are used up; the last answer."""
        answer = call()
        return answer if answer >= 0 else self.again(call, errno)

    def again(self, call: Callable[[], int], errno: Callable[[], int]) -> int:
        """Try a call again that answered -1, as `run` would go on with it; the last answer."""
        answer = -1
        for attempt in range(self.times):
            if answer >= 0 or errno() not in {EINTR, EAGAIN, EBUSY}:
                break
            if errno() != EINTR:
                time.sleep(self.delay * 2**attempt)
            answer = call()
        return answer
