"""Taking events from a consumer, on a source that the test fills."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.errors import ArgumentError, ClosedError, WaitTimeoutError
from bpflab.events.consumer import Consumer

if TYPE_CHECKING:
    from tests.events.conftest import EventsMap, ListSource

    from bpflab.events.source import Batch


@pytest.fixture
def consumer(source: ListSource, list_map: EventsMap) -> Consumer:
    return Consumer(lambda: source, list_map)


def test_drain_returns_all_that_is_there_in_order(consumer: Consumer, source: ListSource) -> None:
    source.put(b"1", b"2")
    assert [consumer.drain(), consumer.drain()] == [[b"1", b"2"], []]


def test_drain_takes_the_pending_first_and_passes_the_bound(source: ListSource, list_map: EventsMap) -> None:
    consumer = Consumer(lambda: source, list_map, max_pending=2)
    source.put(b"1", b"2")
    consumer.pump()
    source.put(b"3", b"4", b"5")
    assert consumer.drain() == [b"1", b"2", b"3", b"4", b"5"]
    assert consumer.dropped == 0


@pytest.mark.parametrize("take_all", ["drain", "pump"])
def test_a_producer_that_never_pauses_does_not_hold_up_who_wants_what_is_there(
    consumer: Consumer, source: ListSource, monkeypatch: pytest.MonkeyPatch, take_all: str
) -> None:
    read = source.read

    def read_one_while_another_arrives(_: int | None = None) -> Batch:
        source.put(b"more")
        return read(1)

    monkeypatch.setattr(source, "read", read_one_while_another_arrives)
    source.put(b"1", b"2")
    getattr(consumer, take_all)()
    assert consumer.received == 2


def test_get_waits_for_an_event_of_another_thread(consumer: Consumer, source: ListSource) -> None:
    timer = threading.Timer(0.02, source.put, [b"late"])
    timer.start()
    assert consumer.get(timeout=30) == b"late"
    timer.join()


def test_get_says_what_it_waited_for_when_nothing_comes(consumer: Consumer) -> None:
    with pytest.raises(WaitTimeoutError, match=r"No event came to the consumer of map 'events' within 0 s"):
        consumer.get(timeout=0)


def test_take_returns_as_many_as_came_in_time(consumer: Consumer, source: ListSource) -> None:
    source.put(b"1", b"2", b"3")
    assert [consumer.take(2), consumer.take(2, timeout=0)] == [[b"1", b"2"], [b"3"]]


def test_iteration_ends_when_no_event_comes_in_time(source: ListSource, list_map: EventsMap) -> None:
    consumer = Consumer(lambda: source, list_map, timeout=0.01)
    source.put(b"1", b"2")
    assert [list(consumer), list(consumer.events(timeout=0))] == [[b"1", b"2"], []]


def test_decode_makes_what_is_delivered(source: ListSource, list_map: EventsMap) -> None:
    consumer = Consumer(lambda: source, list_map, decode=int)
    source.put(b"1", b"2", b"3", b"4")
    assert consumer.get() == 1
    assert next(iter(consumer)) == 2
    assert [*consumer.take(1), *consumer.drain()] == [3, 4]


def test_an_event_that_cannot_be_decoded_costs_no_other(source: ListSource, list_map: EventsMap) -> None:
    consumer = Consumer(lambda: source, list_map, decode=int)
    source.put(b"1", b"two", b"3")
    with pytest.raises(ValueError, match="two"):
        consumer.drain()
    assert consumer.counters.pending == 2
    assert consumer.drain() == [1, 3]
    assert consumer.counters.delivered == 3


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [
        ("newest", [b"1", b"2"], [b"3", b"4", b"5"]),
        ("oldest", [b"4", b"5"], [b"1", b"2", b"3"]),
        ("stop", [b"1", b"2"], []),
    ],
)
def test_a_consumer_that_falls_behind_drops_by_its_policy(
    source: ListSource, list_map: EventsMap, policy: str, kept: list[bytes], dropped: list[bytes]
) -> None:
    seen: list[bytes] = []
    consumer = Consumer(lambda: source, list_map, max_pending=2, policy=policy, on_drop=seen.append)
    source.put(b"1", b"2", b"3", b"4", b"5")
    consumer.pump()
    counters = consumer.counters
    assert seen == dropped
    assert (counters.dropped, counters.pending) == (len(dropped), 2)
    assert counters.lag == 9 * (5 - counters.received)
    assert consumer.take(2) == kept


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    policy=st.sampled_from(["newest", "oldest", "stop"]),
    bound=st.integers(1, 5) | st.none(),
    steps=st.lists(st.sampled_from(["put", "pump", "get", "take", "drain", "iterate"]), max_size=40),
)
def test_nothing_that_was_received_is_unaccounted_for(
    source: ListSource, list_map: EventsMap, policy: str, bound: int | None, steps: list[str]
) -> None:
    dropped: list[bytes] = []
    delivered: list[bytes] = []
    source = type(source)()
    with Consumer(lambda: source, list_map, max_pending=bound, policy=policy, on_drop=dropped.append) as consumer:
        for number, step in enumerate(steps):
            if step == "put":
                source.put(*(b"%d.%d" % (number, part) for part in range(3)))
            elif step == "pump":
                consumer.pump()
            elif step == "drain":
                delivered += consumer.drain()
            elif step == "iterate":
                delivered += consumer.events(timeout=0)
            else:
                delivered += consumer.take(1 if step == "get" else 2, timeout=0)
            counters = consumer.counters
            assert counters.received == counters.delivered + counters.dropped + counters.pending
            assert (counters.delivered, counters.dropped) == (len(delivered), len(dropped))
            assert bound is None or counters.pending <= bound
    order = sorted(delivered, key=lambda event: tuple(map(int, event.split(b"."))))
    assert delivered == order
    assert not set(delivered) & set(dropped)


@pytest.mark.parametrize("use", ["drain", "get", "take", "pump", "start", "flush", "events", "__enter__", "__iter__"])
def test_a_closed_consumer_says_so(consumer: Consumer, use: str) -> None:
    consumer.close()
    consumer.close()
    arguments: tuple[Any, ...] = (1,) if use == "take" else ()
    with pytest.raises(ClosedError, match="the consumer of map 'events' is closed"):
        getattr(consumer, use)(*arguments)


def test_closing_closes_the_source_and_leaves_the_lab_and_the_counters(
    consumer: Consumer, source: ListSource, list_map: EventsMap
) -> None:
    source.put(b"12345678")
    with consumer:
        consumer.drain()
        source.put(b"1")
    assert source.closed.is_set()
    assert not vars(list_map.lab)["owned"]
    assert (consumer.received, consumer.bytes, consumer.lag, consumer.closed) == (1, 8, 9, True)
    assert repr(consumer) == (
        "<Consumer: the consumer of map 'events', closed, 1 received, 1 delivered, 8 bytes, 9 lag>"
    )


def test_a_wrong_option_is_refused_before_anything_is_opened(list_map: EventsMap) -> None:
    def opened() -> ListSource:
        pytest.fail("the source was opened")

    with pytest.raises(ArgumentError, match="max_pending is 0"):
        Consumer(opened, list_map, max_pending=0)


@pytest.mark.parametrize("started", [False, True])
def test_who_waits_when_the_consumer_closes_is_woken(consumer: Consumer, started: bool) -> None:
    ends: list[object] = []

    def wait_for_one() -> None:
        with pytest.raises(ClosedError):
            consumer.get(timeout=60)
        ends.append("get")

    events = consumer.events(timeout=60)

    def wait_for_all() -> None:
        ends.append(list(events))

    if started:
        consumer.start()
    waiting = [threading.Thread(target=wait_for_one), threading.Thread(target=wait_for_all)]
    for thread in waiting:
        thread.start()
    consumer.close()
    for thread in waiting:
        thread.join(timeout=30)
    assert sorted(map(str, ends)) == ["[]", "get"]


def test_a_started_consumer_reads_without_being_asked(consumer: Consumer, source: ListSource) -> None:
    with consumer.start().start():
        source.put(b"1", b"2")
        assert consumer.take(2, timeout=30) == [b"1", b"2"]
        source.put(b"3")
        while not consumer.pending:
            consumer.pump()
        assert (consumer.pending, consumer.lag) == (1, 0)


def test_a_reader_that_fails_stops_the_consumer_and_is_not_swallowed(consumer: Consumer, source: ListSource) -> None:
    source.failure = OSError(5, "broken")
    consumer.start()
    with pytest.raises(ClosedError, match=r"has stopped on an error; close\(\) raises it"):
        consumer.get(timeout=30)
    with pytest.raises(ExceptionGroup) as group:
        consumer.close()
    assert group.value.exceptions == (source.failure,)
    assert source.closed.is_set()
