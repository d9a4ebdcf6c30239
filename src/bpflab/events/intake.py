"""Moves events out of a buffer: one reader at a time, whoever calls."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpflab.events.counters import Counters
    from bpflab.events.queue import EventQueue
    from bpflab.events.source import Batch, Source

SLICE = 0.05
"""Seconds of one wait for the kernel. A record may be written without waking anybody, and a close waits no longer."""

PAUSE = 0.001
"""Seconds of sleep when a wait brought nothing, as when the next record is still being written."""


class Intake:
    """The way from a source into a queue, under the queue's policy. It owns the source.

    `dropped` is called with each event that the policy drops, outside of every lock.
    """

    def __init__(self, source: Source, queue: EventQueue, dropped: Callable[[bytes], object] | None) -> None:
        self._source: Source | None = source
        self._queue = queue
        self._dropped = dropped
        self._reading = threading.Lock()
        self._waiting = threading.Lock()
        self._last: Counters | None = None

    def move(self) -> int:
        """Move one batch, as far as there is room for it; the bytes of the buffer that it took."""
        with self._reading:
            room = self._queue.room()
            if self._source is None or room == 0:
                return 0
            batch = self._source.read(room)
            surplus = self._queue.offer(batch) if batch.consumed else []
        if self._dropped is not None:
            for event in surplus:
                self._dropped(event)
        return batch.consumed

    def move_all(self, wait: float = 0.0) -> None:
        """Move all that is in the buffer now and complete; under the STOP policy, as far as there is room.

        `wait` is how many seconds in all to wait for that room.
        """
        goal = self.counters().lag
        deadline = time.monotonic() + wait
        while goal > 0 and not self._queue.ended:
            moved = self.move()
            left = deadline - time.monotonic()
            if moved:
                goal -= moved
            elif self._queue.room() == 0 and left > 0:
                self._queue.wait_for_room(min(left, SLICE))
            else:
                break

    def drain(self) -> list[bytes]:
        """Take what is pending and all that is in the buffer now and complete, past the bound."""
        with self._reading:
            events = self._queue.take_all()
            for batch in self._batches():
                events += self._queue.pass_by(batch)
        return events

    def advance(self, timeout: float) -> None:
        """Move a batch, after waiting for one up to so many seconds (and no longer than SLICE)."""
        if self._move_some():
            return
        wait = min(timeout, SLICE)
        if self._queue.room() == 0:
            self._queue.wait_for_room(wait)
            return
        with self._waiting:
            if self._source is not None and wait > 0:
                self._source.wait(wait)
        if not self._move_some() and wait > 0:
            time.sleep(PAUSE)

    def counters(self) -> Counters:
        """All counters, and the bytes that are still in the buffer; after the close, those at the close."""
        with self._reading:
            if self._last is not None:
                return self._last
            return self._queue.counters(self._source.lag if self._source is not None else 0)

    def close(self) -> None:
        """Close the source when nobody reads from it or waits for it."""
        with self._waiting, self._reading:
            source, self._source = self._source, None
            if source is not None:
                self._last = self._queue.counters(source.lag)
                source.close()

    def _move_some(self) -> bool:
        moved = self.move()
        if moved and not len(self._queue):  # nothing but discarded records, perhaps up to the buffer's end
            self.move_all()
        return moved > 0

    def _batches(self) -> Iterator[Batch]:
        goal = 0 if self._source is None else self._source.lag
        while self._source is not None and goal > 0:
            batch = self._source.read()
            if not batch.consumed:
                break
            yield batch
            goal -= batch.consumed


def deadline_of(timeout: float | None) -> float | None:
    """Return when so many seconds from now are over; None for never."""
    return None if timeout is None else time.monotonic() + timeout


def left_until(deadline: float | None, most: float = threading.TIMEOUT_MAX) -> float:
    """Return the seconds until then, at least 0 and at most `most`."""
    return most if deadline is None else min(most, max(0.0, deadline - time.monotonic()))
