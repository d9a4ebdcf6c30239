"""Queues and stacks: to read one is to take all out and put it in again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.maps.queue import Queue, Stack

if TYPE_CHECKING:
    from bpflab.maps.handle import MapHandle


class QueueKeeper:
    """The values of a queue or stack, in the order in which they are put in."""

    def __init__(self, source: MapHandle[Any, Any]) -> None:
        assert isinstance(source, Queue)
        self.source: Queue[Any] = source
        self.saved = self._taken()
        self.source.extend(self.saved)

    def restore(self) -> None:
        """Take out what is there, and put in what was."""
        now = self._taken()
        self.source.extend(self.saved if now != self.saved else now)

    def close(self) -> None:
        """Keep nothing open."""

    def _taken(self) -> list[Any]:
        values = list(self.source.drain())
        return values[::-1] if isinstance(self.source, Stack) else values
