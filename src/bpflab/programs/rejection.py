"""A load that is expected to be refused by the verifier, for a reason that the test names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.arguments import check_integer, check_type, enum_member
from bpflab.errors import BpfError
from bpflab.programs.verifier import VerifierError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from bpflab.obj.spec import SourceLine


class NotRejectedError(BpfError, AssertionError):
    """A load that a test expected to be refused was taken, or refused for another reason.

    `error` is the VerifierError of the refusal, None when the load was taken.
    """

    def __init__(self, text: str, error: VerifierError | None = None) -> None:
        super().__init__(text)
        self.error = error


@dataclass(frozen=True, slots=True)
class Expected:
    """What a refusal is to be like; None for what may be anything.

    `message` is part of the log's words, or a pattern that is searched for in it; `source` is `file.c:12`, a line's
    number, or part of the line's text.
    """

    message: str | re.Pattern[str] | None = None
    insn: int | None = None
    source: str | int | None = None
    program: str | None = None
    errno: Errno | None = None

    def differences(self, error: VerifierError) -> list[str]:
        """Say in what a refusal is not like this, in words; empty when it is."""
        checks = {
            f"words that hold {_shown(self.message)}": self.message is None or _holds(self.message, error.log),
            f"instruction {self.insn}, not {error.insn}": self.insn in {None, error.insn},
            f"source {self.source!r}, not {_place(error.line)}": self.source is None or _is_at(self.source, error.line),
            f"program {self.program!r}, not {error.program!r}": self.program in {None, error.program},
            f"errno {_name(self.errno)}, not {error.failure.name}": self.errno in {None, error.failure.errno},
        }
        return [words for words, met in checks.items() if not met]

    def __str__(self) -> str:
        parts = {
            "saying": None if self.message is None else _shown(self.message),
            "at instruction": self.insn,
            "at": self.source,
            "in program": self.program,
            "with": None if self.errno is None else self.errno.name,
        }
        said = " ".join(f"{word} {part}" for word, part in parts.items() if part is not None)
        return f"to refuse one {said}".rstrip()


class Rejection:
    """The context manager behind `Lab.rejects`; after the block, `error` is the VerifierError that was met."""

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self._error: VerifierError | None = None

    @property
    def error(self) -> VerifierError:
        """The refusal, with its log, instruction and source line; NotRejectedError before there is one."""
        if self._error is None:
            raise NotRejectedError("No load was refused yet; ask for `error` after the `with` block.")
        return self._error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if kind is None:
            raise NotRejectedError(
                f"The verifier took every program that was loaded here; it was expected {self.expected}."
            )
        if not isinstance(error, VerifierError):
            return False
        differences = self.expected.differences(error)
        if differences:
            raise NotRejectedError(_told(self.expected, error, differences), error) from None
        self._error = error
        return True


def rejection(
    message: str | re.Pattern[str] | None,
    *,
    insn: int | None,
    source: str | int | None,
    program: str | None,
    errno: int | str | None,
) -> Rejection:
    """Check the arguments of `Lab.rejects`."""
    check_type(
        "message", message, (str, re.Pattern, type(None)), "a part of the verifier's words, or a re.compile(...)"
    )
    check_type("source", source, (str, int, type(None)), "'file.c:12', a line's number, or part of its text")
    check_type("program", program, (str, type(None)), "the name of a program")
    if insn is not None:
        check_integer("insn", insn, 0, 1_000_000)
    number = None if errno is None else enum_member("errno", errno, Errno)
    return Rejection(Expected(message, insn, source, program, number))


def _holds(message: str | re.Pattern[str], log: str) -> bool:
    return message in log if isinstance(message, str) else message.search(log) is not None


def _is_at(source: str | int, line: SourceLine | None) -> bool:
    if line is None:
        return False
    if isinstance(source, int):
        return source == line.line
    file, _, number = source.rpartition(":")
    same_file = PurePath(file).name == PurePath(line.file).name
    return (same_file and number == str(line.line)) or source in line.text


def _told(expected: Expected, error: VerifierError, differences: list[str]) -> str:
    return (
        f"The verifier was expected {expected}, and refused one otherwise: expected were {'; '.join(differences)}.\n"
        f"{error}"
    )


def _shown(message: str | re.Pattern[str] | None) -> str:
    return f"/{message.pattern}/" if isinstance(message, re.Pattern) else repr(message)


def _place(line: SourceLine | None) -> str:
    return f"'{PurePath(line.file).name}:{line.line}: {line.text.strip()}'" if line else "an unknown line"


def _name(errno: Errno | None) -> str:
    return errno.name if errno is not None else "any"
