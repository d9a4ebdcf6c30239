"""The queue of a consumer against a plain list, whatever is done to it and in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bpflab.errors import ArgumentError
from bpflab.events.counters import Counters
from bpflab.events.queue import EventQueue, Policy
from bpflab.events.source import Batch

COUNTS = st.integers(0, 8)


class QueueMachine(RuleBasedStateMachine):
    """Pending events are a list, and every event that left it is either delivered or dropped. No two are equal."""

    policy = Policy.NEWEST

    @initialize(capacity=st.integers(1, 6) | st.none())
    def start(self, capacity: int | None) -> None:
        self.queue = EventQueue(capacity, self.policy)
        self.pending: list[bytes] = []
        self.received: list[bytes] = []
        self.delivered = 0
        self.dropped: list[bytes] = []
        self.lost = self.discarded = 0

    def arrive(self, count: int) -> list[bytes]:
        events = [b"%d" % (len(self.received) + n) for n in range(count)]
        self.received += events
        return events

    @rule(count=COUNTS, lost=st.integers(0, 3), discarded=st.integers(0, 3))
    def offer(self, count: int, lost: int, discarded: int) -> None:
        room = self.queue.room()
        events = self.arrive(count if room is None else min(count, room))
        dropped = self.queue.offer(Batch(events, sum(map(len, events)), 1, discarded=discarded, lost=lost))
        expected = self.expect_offer(events)
        assert dropped == expected
        self.dropped += dropped
        self.lost += lost
        self.discarded += discarded

    def expect_offer(self, events: list[bytes]) -> list[bytes]:
        both = self.pending + events
        surplus = max(0, len(both) - (self.queue.capacity or len(both)))
        if self.queue.policy is Policy.OLDEST:
            self.pending = both[surplus:]
            return both[:surplus]
        kept = max(len(self.pending), len(both) - surplus)
        self.pending = both[:kept]
        return both[kept:]

    @rule()
    def take(self) -> None:
        event = self.queue.take()
        assert event == (self.pending.pop(0) if self.pending else None)
        self.delivered += event is not None

    @rule()
    def take_all(self) -> None:
        assert self.queue.take_all() == self.pending
        self.delivered += len(self.pending)
        self.pending = []

    @rule(count=COUNTS)
    def pass_by(self, count: int) -> None:
        events = self.arrive(count)
        assert self.queue.pass_by(Batch(events, sum(map(len, events)), 1)) == events
        self.delivered += len(events)

    @rule(count=st.integers(0, 3))
    def take_and_put_back(self, count: int) -> None:
        taken = [event for _ in range(count) if (event := self.queue.take()) is not None]
        self.queue.put_back(taken)

    @invariant()
    def every_event_is_accounted_for(self) -> None:
        counters = self.queue.counters()
        assert counters == Counters(
            received=len(self.received),
            delivered=self.delivered,
            dropped=len(self.dropped),
            pending=len(self.pending),
            bytes=sum(map(len, self.received)),
            discarded=self.discarded,
            lost=self.lost,
        )
        assert counters.received == counters.delivered + counters.dropped + counters.pending

    @invariant()
    def the_bound_holds(self) -> None:
        assert self.queue.capacity is None or len(self.queue) <= self.queue.capacity

    @invariant()
    def only_the_stop_policy_limits_reading(self) -> None:
        if self.queue.policy is Policy.STOP and self.queue.capacity is not None:
            assert self.queue.room() == self.queue.capacity - len(self.pending)
            assert not self.dropped
        else:
            assert self.queue.room() is None


class OldestMachine(QueueMachine):
    policy = Policy.OLDEST


class StopMachine(QueueMachine):
    policy = Policy.STOP


TestNewest = QueueMachine.TestCase
TestOldest = OldestMachine.TestCase
TestStop = StopMachine.TestCase


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_bound_that_holds_nothing_is_refused(capacity: int) -> None:
    with pytest.raises(ArgumentError, match=rf"max_pending is {capacity}; expected at least 1"):
        EventQueue(capacity)


def test_an_unknown_policy_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ArgumentError, match="'random' is not known; expected one of 'newest', 'oldest', 'stop'"):
        EventQueue(1, "random")


def test_counters_are_shown_without_those_that_are_zero() -> None:
    assert str(Counters(received=2, pending=2, lag=16)) == "2 received, 2 pending, 16 lag"
    assert str(Counters()) == "nothing received"
