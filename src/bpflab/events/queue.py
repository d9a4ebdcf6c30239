"""The events that were read and not taken yet, bounded, and counted.

At every moment received = delivered + dropped + pending. Nothing here knows of kernels, buffers or threads
that read them.
"""

from __future__ import annotations

import threading
from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING

from bpflab.arguments import check_type
from bpflab.errors import ArgumentError
from bpflab.events.counters import Counters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpflab.events.source import Batch


class Policy(StrEnum):
    """What happens when more events arrive than `max_pending`."""

    NEWEST = "newest"
    """Drop those that just arrived: what is kept is the beginning of the story."""

    OLDEST = "oldest"
    """Drop those that wait longest: what is kept is its end."""

    STOP = "stop"
    """Drop nothing and read no more until there is room: the buffer fills, and the kernel's reserve fails."""


class EventQueue:
    """Events in the order of their arrival, at most `capacity` of them (None: no bound). Safe between threads."""

    def __init__(self, capacity: int | None = None, policy: Policy | str = Policy.NEWEST) -> None:
        check_type("max_pending", capacity, (int, type(None)), "an integer, or None for no bound")
        if capacity is not None and capacity < 1:
            raise ArgumentError(f"max_pending is {capacity}; expected at least 1, or None for no bound.")
        self.capacity = capacity
        self.policy = _policy(policy)
        self._stops = self.policy is Policy.STOP
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self.listeners: list[Callable[[], object]] = []
        self._events: deque[bytes] = deque()
        self._received = self._delivered = self._dropped = 0
        self._bytes = self._discarded = self._lost = 0
        self._waiting = 0
        self._ended = False

    def room(self) -> int | None:
        """How many events may be offered before one must be dropped, under the STOP policy; None: any number."""
        if self.capacity is None or not self._stops:
            return None
        return max(0, self.capacity - len(self._events))

    def offer(self, batch: Batch) -> list[bytes]:
        """Put a batch behind the others; the events that the policy drops."""
        with self._lock:
            self._count(batch)
            dropped = self._make_room(batch.events)
            self._dropped += len(dropped)
            self._changed.notify_all()
        if batch.events:
            self._tell()
        return dropped

    def pass_by(self, batch: Batch) -> list[bytes]:
        """Count a batch that its reader takes at once, past the bound, and return its events."""
        with self._lock:
            self._count(batch)
            self._delivered += len(batch.events)
        return batch.events

    def take(self) -> bytes | None:
        """Take the oldest event; None when there is none."""
        with self._lock:
            if not self._events:
                return None
            self._delivered += 1
            if self._stops:
                self._changed.notify_all()
            return self._events.popleft()

    def take_all(self) -> list[bytes]:
        """Take every event."""
        with self._lock:
            events = list(self._events)
            self._events.clear()
            self._delivered += len(events)
            self._changed.notify_all()
        return events

    def wait_take(self, timeout: float | None = None) -> bytes | None:
        """Take the oldest event, waiting for one; None when the time is over or the queue has ended."""
        with self._lock:
            if not self._events:
                self._await_event(timeout)
            return self.take()

    def wait_idle(self, timeout: float | None = None) -> bool:
        """Wait until nothing is pending and a thread in `wait_take` waits for more; False when the time is over."""
        with self._lock:
            return self._changed.wait_for(lambda: (self._waiting > 0 and not self._events) or self._ended, timeout)

    def wait_for_room(self, timeout: float) -> None:
        """Wait until an event may be offered under the STOP policy, or the queue has ended."""
        with self._lock:
            self._changed.wait_for(lambda: self.room() != 0 or self._ended, timeout)

    def put_back(self, events: Iterable[bytes]) -> None:
        """Put events that were taken, and not used, before all others; the bound does not hold for them."""
        kept = list(events)
        with self._lock:
            self._events.extendleft(reversed(kept))
            self._delivered -= len(kept)
            self._changed.notify_all()

    def end(self) -> None:
        """Say that no more events will be offered, and wake all who wait."""
        with self._lock:
            self._ended = True
            self._changed.notify_all()
        self._tell()

    @property
    def ended(self) -> bool:
        """Whether `end()` was called."""
        return self._ended

    def __len__(self) -> int:
        return len(self._events)

    def counters(self, lag: int = 0) -> Counters:
        """Return all counters as they are at one moment."""
        with self._lock:
            return Counters(
                received=self._received,
                delivered=self._delivered,
                dropped=self._dropped,
                pending=len(self._events),
                bytes=self._bytes,
                discarded=self._discarded,
                lost=self._lost,
                lag=lag,
            )

    def _count(self, batch: Batch) -> None:
        self._received += len(batch.events)
        self._bytes += batch.size
        self._discarded += batch.discarded
        self._lost += batch.lost

    def _make_room(self, arrived: list[bytes]) -> list[bytes]:
        surplus = 0 if self.capacity is None else max(0, len(self._events) + len(arrived) - self.capacity)
        if surplus and self.policy is Policy.OLDEST:
            self._events.extend(arrived)
            return [self._events.popleft() for _ in range(surplus)]
        kept = max(0, len(arrived) - surplus)
        self._events.extend(arrived[:kept] if surplus else arrived)
        return arrived[kept:]

    def _await_event(self, timeout: float | None) -> None:
        self._waiting += 1
        self._changed.notify_all()
        self._changed.wait_for(lambda: self._events or self._ended, timeout)
        self._waiting -= 1

    def _tell(self) -> None:
        for listener in tuple(self.listeners):
            listener()


def _policy(given: Policy | str) -> Policy:
    try:
        return Policy(given)
    except ValueError:
        known = ", ".join(repr(policy.value) for policy in Policy)
        raise ArgumentError(f"policy {given!r} is not known; expected one of {known}.") from None
