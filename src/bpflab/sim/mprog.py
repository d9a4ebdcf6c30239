"""Programs in an order that their owners chose: the list behind tcx and netkit hooks.

The rules are those of kernel/bpf/mprog.c: a program joins before or after another, in its place, or at the
end, and a revision counts the changes. Every flag names a position; all that are given have to agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import AttachFlag
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.links import SimLink
    from bpflab.sim.programs import SimProgram

MAX: Final = 64
BEFORE: Final = int(AttachFlag.BEFORE)
AFTER: Final = int(AttachFlag.AFTER)
REPLACE: Final = int(AttachFlag.REPLACE)


@dataclass(slots=True, eq=False)
class Entry:
    """A program in a list; `link` is what holds it there, None for one attached by PROG_ATTACH."""

    program: SimProgram
    link: SimLink | None = None
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What PROG_ATTACH and LINK_CREATE say of the place: flags, the entry they refer to, the revision expected.

    `program` alone refers to a program however it is attached, with `link` to that link alone.
    """

    flags: int = 0
    program: SimProgram | None = None
    link: SimLink | None = None
    revision: int = 0


@dataclass(slots=True)
class MprogList:
    """The programs at one hook, in the order in which they run."""

    entries: list[Entry] = field(default_factory=list)
    revision: int = 1

    def attach(self, new: Entry, order: Order, old: SimProgram | None = None) -> Entry | None:
        """Put an entry in; returns the one it replaces. EEXIST, ENOENT, EBUSY, ESTALE, ERANGE, EINVAL."""
        self._check_revision(order)
        refuse_if(any(entry.program is new.program for entry in self.entries), Errno.EEXIST)
        replaces = bool(order.flags & REPLACE)
        place = self.position(order, self._exact(old, new.link) if replaces else None)
        refuse_if(place >= MAX, Errno.ERANGE)
        self.revision += 1
        if replaces:
            before, self.entries[place] = self.entries[place], new
            return before
        self.entries.insert(place + 1 if order.flags & BEFORE and place < len(self.entries) else place, new)
        return None

    def detach(self, program: SimProgram | None, order: Order) -> Entry:
        """Take an entry out that no link holds. EBUSY for one that a link holds, ENOENT, ESTALE, ERANGE, EINVAL."""
        refuse_if(order.flags & REPLACE)
        self._check_revision(order)
        place = self.position(order, None if program is None else self._exact(program, None))
        refuse_if(place >= MAX, Errno.ERANGE)
        entry = self.entries[min(max(place, 0), len(self.entries) - 1)]
        refuse_if(entry.link is not None, Errno.EBUSY)
        self.remove(entry)
        return entry

    def remove(self, entry: Entry) -> None:
        """Take an entry out, whatever holds it."""
        self.entries.remove(entry)
        self.revision += 1

    def position(self, order: Order, exact: int | None = None) -> int:
        """Return the position that the flags agree on, from -1 (before the first) to the number of entries."""
        wanted = [] if exact is None else [exact]
        if order.flags & BEFORE:
            wanted.append(-1 if order.program is None else self._meant(order) - 1)
        if order.flags & AFTER:
            wanted.append(len(self.entries) if order.program is None else self._meant(order) + 1)
        if not wanted:
            refuse_if(order.program is not None or order.flags)
            return len(self.entries)
        refuse_if(len(set(wanted)) > 1, Errno.ERANGE)
        return wanted[0]

    def _check_revision(self, order: Order) -> None:
        refuse_if(order.revision and order.revision != self.revision, Errno.ESTALE)

    def _exact(self, program: SimProgram | None, link: SimLink | None) -> int:
        for place, entry in enumerate(self.entries):
            if entry.program is program:
                refuse_if(entry.link is not link, Errno.EBUSY)
                return place
        raise Refusal(Errno.ENOENT)

    def _meant(self, order: Order) -> int:
        for place, entry in enumerate(self.entries):
            if entry.program is order.program and (order.link is None or entry.link is order.link):
                return place
        raise Refusal(Errno.ENOENT)
