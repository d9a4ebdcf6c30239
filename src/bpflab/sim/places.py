"""Where programs are attached: the books that the simulated kernel keeps. Nothing runs because of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import AttachFlag
from bpflab.sim.mprog import AFTER, BEFORE, REPLACE, Entry, MprogList, Order
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.programs import SimProgram

OVERRIDE: Final = int(AttachFlag.ALLOW_OVERRIDE)
MULTI: Final = int(AttachFlag.ALLOW_MULTI)
PREORDER: Final = int(AttachFlag.PREORDER)
MAX_PROGRAMS: Final = 64
"""BPF_CGROUP_MAX_PROGS, and the limits like it."""


class Place:
    """A hook of one target. It holds a reference of each program attached without a link; links hold their own."""

    def __init__(self) -> None:
        self.list = MprogList()
        self.flags = 0

    @property
    def entries(self) -> list[Entry]:
        """The programs there, in the order in which they run."""
        return self.list.entries

    def effective(self) -> list[Entry]:
        """Return the programs as they run: those marked PREORDER first."""
        return sorted(self.entries, key=lambda entry: not entry.flags & PREORDER)

    def attach(self, new: Entry, order: Order, old: SimProgram | None = None) -> None:
        """Attach a program, by a link or on its own; refuses as the kind of hook does."""
        del order, old
        self.list.entries.append(new)
        self._took(new)

    def detach(self, program: SimProgram | None, order: Order) -> None:
        """Detach a program that is there on its own; EINVAL for a hook of links alone."""
        del program, order
        raise Refusal(Errno.EINVAL)

    def unlink(self, entry: Entry) -> None:
        """Take out a program that a link holds."""
        self.list.remove(entry)

    def update(self, entry: Entry, program: SimProgram) -> None:
        """Give a link another program."""
        entry.program = program
        self.list.revision += 1

    def _took(self, new: Entry, replaced: Entry | None = None) -> None:
        if new.link is None:
            new.program.get()
        if replaced is not None and replaced.link is None:
            replaced.program.put()


class MprogPlace(Place):
    """tcx: programs in the order that their owners chose."""

    def attach(self, new: Entry, order: Order, old: SimProgram | None = None) -> None:
        """Attach by the rules of `MprogList`."""
        self._took(new, self.list.attach(new, order, old))

    def detach(self, program: SimProgram | None, order: Order) -> None:
        """Detach by the rules of `MprogList`; ENOENT when nothing is there."""
        refuse_if(not self.entries, Errno.ENOENT)
        self.list.detach(program, order).program.put()
        self._begin_anew()

    def unlink(self, entry: Entry) -> None:
        """Take out a program that a link holds."""
        super().unlink(entry)
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Count revisions from 1 again after the last program is gone."""
        if not self.entries:
            self.list.revision = 1

    def update(self, entry: Entry, program: SimProgram) -> None:
        """Give a link another program, that is not there yet (EEXIST)."""
        if entry.program is not program:
            refuse_if(any(other.program is program for other in self.entries), Errno.EEXIST)
            super().update(entry, program)


class CgroupPlace(Place):
    """A cgroup: one program, or several (kernel/bpf/cgroup.c). Cgroups above and below do not count here."""

    def attach(self, new: Entry, order: Order, old: SimProgram | None = None) -> None:
        """Attach; all programs have to agree on the flags. EPERM, EINVAL, E2BIG, ENOENT, ESTALE."""
        mode = order.flags & (OVERRIDE | MULTI)
        refuse_if(mode == OVERRIDE | MULTI or bool(old) != bool(order.flags & REPLACE))
        refuse_if(order.flags & REPLACE and not mode & MULTI)
        refuse_if(order.revision and order.revision != self.list.revision, Errno.ESTALE)
        refuse_if(self.entries and self.flags != mode, Errno.EPERM)
        refuse_if(len(self.entries) >= MAX_PROGRAMS, Errno.E2BIG)
        replaced = self._replaced(new, old) if mode & MULTI else next(iter(self.entries), None)
        if replaced is None:
            self.entries.insert(self._place(order), new)
        else:
            self.entries[self.entries.index(replaced)] = new
        self.flags = mode
        self.list.revision += 1
        self._took(new, replaced)

    def detach(self, program: SimProgram | None, order: Order) -> None:
        """Detach what is there, of several the one that is named. ENOENT, EINVAL, ESTALE."""
        refuse_if(order.revision and order.revision != self.list.revision, Errno.ESTALE)
        several = bool(self.flags & MULTI)
        refuse_if(several and program is None)
        own = [entry for entry in self.entries if entry.link is None]
        found = next((entry for entry in own if entry.program is program or not several), None)
        if found is None:
            raise Refusal(Errno.ENOENT)
        self.unlink(found)
        found.program.put()

    def unlink(self, entry: Entry) -> None:
        """Take out a program; after the last one the flags are free again."""
        super().unlink(entry)
        self.flags = self.flags if self.entries else 0

    def _replaced(self, new: Entry, old: SimProgram | None) -> Entry | None:
        own = [entry for entry in self.entries if entry.link is None]
        twice = new.link is None and new.program is not old and any(entry.program is new.program for entry in own)
        refuse_if(twice)
        found = next((entry for entry in own if entry.program is old), None)
        refuse_if(old is not None and found is None, Errno.ENOENT)
        return found if old is not None else None

    def _place(self, order: Order) -> int:
        side = order.flags & (BEFORE | AFTER)
        refuse_if(side == BEFORE | AFTER or (order.program is not None and not side))
        if not side:
            return len(self.entries)
        place = self.list.position(replace(order, flags=side))
        return place + 1 if side == BEFORE else place


class DissectorPlace(Place):
    """A network namespace's flow dissector: one program, that gives way to another unless a link holds it."""

    def attach(self, new: Entry, order: Order, old: SimProgram | None = None) -> None:
        """Attach. EEXIST when a link is in the way, or of a link by a program; E2BIG of a link by a link."""
        del order, old
        before = self.entries[0] if self.entries else None
        if before is not None and (before.link or new.link):
            raise Refusal(Errno.E2BIG if before.link and new.link else Errno.EEXIST)
        refuse_if(before is not None and before.program is new.program)
        self.list.entries[:] = [new]
        self._took(new, before)

    def detach(self, program: SimProgram | None, order: Order) -> None:
        """Detach the program that is named. ENOENT, EINVAL when a link is there."""
        del order
        refuse_if(program is None)
        refuse_if(not self.entries, Errno.ENOENT)
        refuse_if(self.entries[0].link is not None)
        refuse_if(self.entries[0].program is not program, Errno.ENOENT)
        self.entries.pop().program.put()


class XdpPlace(Place):
    """An interface's XDP program, held by a link; netlink, which can attach without, is not simulated."""

    def attach(self, new: Entry, order: Order, old: SimProgram | None = None) -> None:
        """Attach. EBUSY when a program is there in the same mode, EEXIST in another."""
        del old
        if self.entries:
            raise Refusal(Errno.EBUSY if self.flags == order.flags else Errno.EEXIST)
        self.flags = order.flags
        self.entries.append(new)


class SockmapPlace(Place):
    """One kind of program of a SOCKMAP or SOCKHASH: another one takes its place, unless a link holds it (EBUSY).

    `rival` is a kind that cannot be there beside it.
    """

    rival: Place | None = None

    def attach(self, new: Entry, order: Order, old: SimProgram | None = None) -> None:
        """Attach."""
        del order, old
        refuse_if(self.rival is not None and self.rival.entries, Errno.EBUSY)
        before = self.entries.pop() if self.entries and not self.entries[0].link else None
        refuse_if(self.entries, Errno.EBUSY)
        self.entries.append(new)
        self._took(new, before)

    def detach(self, program: SimProgram | None, order: Order) -> None:
        """Detach the program that is named; ENOENT."""
        del order
        refuse_if(not self.entries or self.entries[0].program is not program, Errno.ENOENT)
        refuse_if(self.entries[0].link is not None, Errno.EBUSY)
        self.entries.pop().program.put()
