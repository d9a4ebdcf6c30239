"""Descriptors of a journal renumbered in the order in which they were given, so that two recordings look the same."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.attr_descriptors import GIVES
from bpflab.backend.journal_entry import Call, Side
from bpflab.backend.translate import GIVE_DESCRIPTORS, translated, translated_side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpflab.backend.journal_entry import Ask, Entry, Opened

FIRST_DESCRIPTOR: Final = 1001
FOREIGN: Final = 999_999_999
"""Stands for any descriptor that the backend did not give: a cgroup's, a socket's."""
NO_DESCRIPTOR: Final = 1 << 31
"""Numbers from here on are -1 and its like, in an unsigned field."""


@dataclass(slots=True)
class Numbering:
    """The numbers of one journal: `own` turns a given descriptor into its number, for as long as it is open."""

    own: dict[int, int] = field(default_factory=dict)
    opened: dict[int, Opened] = field(default_factory=dict)
    count: int = 0

    def __call__(self, fd: int) -> int:
        """Return the number of a descriptor; FOREIGN for one that the backend did not give."""
        if fd in self.own:
            return self.own[fd]
        return fd if fd <= 0 or fd >= NO_DESCRIPTOR else FOREIGN

    def ask(self, ask: Ask) -> Ask:
        """Return a call with numbers for its descriptors."""
        return translated(ask, self, self.opened)

    def give(self, fd: int, opened: Opened | None) -> int:
        """Give a new descriptor its number."""
        self.own[fd] = FIRST_DESCRIPTOR + self.count
        self.count += 1
        if opened:
            self.opened[fd] = opened
        return self.own[fd]

    def take(self, fd: int) -> None:
        """Forget a descriptor that was closed."""
        self.own.pop(fd, None)
        self.opened.pop(fd, None)


def numbered(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield the entries of a journal with numbers for descriptors."""
    numbers = Numbering()
    for entry in entries:
        if isinstance(entry, Call):
            yield _call(entry, numbers)
        elif isinstance(entry, Side):
            yield _side(entry, numbers)
        else:
            yield entry


def _call(call: Call, numbers: Numbering) -> Call:
    ask, reply = numbers.ask(call.ask), call.reply
    if call.ask.command in GIVES and reply.result >= 0:
        reply = replace(reply, result=numbers.give(reply.result, call.opened))
    return replace(call, ask=ask, reply=reply)


def _side(side: Side, numbers: Numbering) -> Side:
    if side.name in GIVE_DESCRIPTORS and isinstance(side.result, int):
        source = numbers.opened.get(int(str(side.arguments.get("fd", -1))))
        own = translated_side(replace(side, result=None), numbers)
        return replace(own, result=numbers.give(side.result, source))
    own = translated_side(side, numbers)
    if side.name == "close" and not side.errno:
        numbers.take(int(str(side.arguments["fd"])))
    return own
