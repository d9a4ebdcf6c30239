"""A message on its way through a socket: pieces, of which a program sees one stretch (include/linux/skmsg.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.sim.memory import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.memory import Region, Scope

MOST_PIECES: Final = 17
"""MAX_MSG_FRAGS: pieces that a message can have."""


class Message:
    """The bytes of `pieces` one behind the other. The program sees the first, or what msg_pull_data chose."""

    def __init__(self, scope: Scope, context: FieldContext, data: bytes) -> None:
        self.scope = scope
        self.context = context
        self.pieces = [bytearray(data)] if data else []
        self._region: Region | None = None
        self.show_first()

    @property
    def size(self) -> int:
        """Bytes of the whole message."""
        return sum(map(len, self.pieces))

    @property
    def room(self) -> int:
        """How many pieces can be added."""
        return MOST_PIECES - len(self.pieces)

    def content(self) -> bytes:
        """Return the whole message."""
        return b"".join(self.pieces)

    def locate(self, at: int) -> tuple[int, int]:
        """Return the piece that holds a byte, and where that piece begins; the one behind the last for the end."""
        begins = 0
        for number, piece in enumerate(self.pieces):
            if at < begins + len(piece):
                return number, begins
            begins += len(piece)
        return len(self.pieces), begins

    def merge(self, first: int, count: int) -> None:
        """Make one piece out of as many, from the first at a number on, as hold so many bytes."""
        merged = bytearray()
        last = first
        while len(merged) < count:
            merged += self.pieces[last]
            last += 1
        self.pieces[first:last] = [merged]

    def insert(self, start: int, count: int) -> None:
        """Put zero bytes in at an offset: a piece of their own where the message can have one more (or two)."""
        number, begins = self.locate(start)
        cut = start - begins
        if self.room > 1 or (self.room and not cut):
            parts = [bytearray(count)]
            if cut:
                parts = [self.pieces[number][:cut], *parts, self.pieces[number][cut:]]
            self.pieces[number : number + bool(cut)] = parts
            return
        if number == len(self.pieces):
            number, cut = number - 1, len(self.pieces[-1])
        piece = self.pieces[number]
        self.pieces[number] = piece[:cut] + bytearray(count) + piece[cut:]

    def cut(self, start: int, count: int) -> None:
        """Take bytes out at an offset; a piece that has bytes before and behind them becomes two."""
        kept: list[bytearray] = []
        at = 0
        for piece in self.pieces:
            before, behind = piece[: max(start - at, 0)], piece[max(start + count - at, 0) :]
            outside = at + len(piece) <= start or at >= start + count
            kept += [piece] if outside else [part for part in (before, behind) if part]
            at += len(piece)
        self.pieces = kept

    def show_first(self) -> None:
        """Have the program see the first piece."""
        self.show(0, 0, len(self.pieces[0]) if self.pieces else 0)

    def show(self, number: int, start: int, size: int) -> None:
        """Have the program see a stretch of a piece; pointers to what it saw before are stale."""
        if self._region is not None:
            self.scope.memory.remove(self._region)
        seen = memoryview(self.pieces[number])[start : start + size] if size else bytearray()
        self._region = self.scope.add(RegionKind.PACKET, seen, name="message", owner=self)
        self.context["data"] = self._region.address
        self.context["data_end"] = self._region.address + size
        self.context["size"] = self.size
