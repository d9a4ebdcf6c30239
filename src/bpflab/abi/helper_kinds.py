"""Read what a line of the helper table says of an argument or a return value.

A line that cannot be read is a MalformedError, whose text the reader of the file puts behind the
file's name and the line's number.
"""

from __future__ import annotations

import re
from functools import cache
from keyword import iskeyword
from typing import Final

from bpflab.abi.helper_model import SIZE_KINDS, Argument, ArgumentKind, Return, ReturnKind

_ARGUMENT: Final = re.compile(r"(\w[\w ]*(?: \**|\b))(\w+): (.+)")
_RETURN: Final = re.compile(r"-> (\w[\w *]*): (.+)")
_KIND: Final = re.compile(r"(\w+)(?:\[(\d+)\])?")
_ARGUMENT_KINDS: Final = {kind.value: kind for kind in ArgumentKind}
_RETURN_KINDS: Final = {kind.value: kind for kind in ReturnKind}
_MAY_HAVE_OF: Final = frozenset({ArgumentKind.BTF_PTR, ArgumentKind.DYNPTR, ArgumentKind.DYNPTR_UNINIT})


class MalformedError(ValueError):
    """A line, or a helper as a whole, is not in the form of the table; says what was expected."""


@cache
def read_argument_line(line: str) -> Argument:
    """Read `C-TYPE NAME: KIND`."""
    match = _ARGUMENT.fullmatch(line)
    if match is None:
        raise MalformedError(f"{line!r} is no argument; expected `C-TYPE NAME: KIND`, or `-> C-TYPE: KIND`.")
    if iskeyword(match[2]):
        raise MalformedError(f"The name {match[2]!r} is a keyword of Python; write {match[2] + '_'!r}.")
    return read_argument(match[2], match[1].rstrip(), match[3])


def read_argument(name: str, c_type: str, text: str) -> Argument:
    """Read what stands behind an argument's name: its kind and what belongs to it."""
    word, size, rest = _split(text)
    if word not in _ARGUMENT_KINDS:
        raise MalformedError(f"{word!r} is no kind of argument; known are {', '.join(_ARGUMENT_KINDS)}.")
    kind = _ARGUMENT_KINDS[word]
    names = [part for part in rest if part not in {"or_null", "release"}]
    if not _fits(kind, names):
        raise MalformedError(f"{text!r} does not fit the kind {word}; helpers.txt begins with the forms.")
    named = "".join(names)
    return Argument(
        name,
        c_type,
        kind,
        size,
        sizes=named if kind in SIZE_KINDS else "",
        of=named if kind in _MAY_HAVE_OF else "",
        or_null="or_null" in rest,
        release="release" in rest,
    )


@cache
def read_return_line(line: str) -> Return | None:
    """Read `-> C-TYPE: KIND`; None if the line is something else."""
    match = _RETURN.fullmatch(line)
    if match is None:
        return None
    word, _, rest = _split(match[2])
    if word not in _RETURN_KINDS:
        raise MalformedError(f"{word!r} is no kind of return value; known are {', '.join(_RETURN_KINDS)}.")
    kind = _RETURN_KINDS[word]
    names = [part for part in rest if part != "or_null"]
    if len(names) != (kind is ReturnKind.BTF_PTR):
        raise MalformedError(f"{match[2]!r} does not fit the kind {word}; helpers.txt begins with the forms.")
    return Return(match[1].rstrip(), kind, "".join(names), "or_null" in rest)


def _split(text: str) -> tuple[str, int, list[str]]:
    first, *rest = text.split()
    match = _KIND.fullmatch(first)
    if match is None:
        raise MalformedError(f"{first!r} is no kind; expected a word, or a word and a size as in mem_read[8].")
    return match[1], int(match[2] or 0), rest


def _fits(kind: ArgumentKind, names: list[str]) -> bool:
    """Whether a kind takes this number of names: sizes and BTF pointers one, dynptrs at most one."""
    if kind in SIZE_KINDS or kind is ArgumentKind.BTF_PTR:
        return len(names) == 1
    return len(names) <= (kind in _MAY_HAVE_OF)
