"""A consumer with a handler: what its threads do, and what becomes of errors."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn

import pytest

from bpflab.errors import BpfError, HandlerErrors, WaitTimeoutError
from bpflab.events.background import KEPT_ERRORS
from bpflab.events.consumer import Consumer

if TYPE_CHECKING:
    from tests.events.conftest import EventsMap, ListSource


def fail(event: object) -> NoReturn:
    raise ValueError(event)


def test_a_handler_gets_every_event_in_order(source: ListSource, list_map: EventsMap) -> None:
    seen: list[int] = []
    source.put(b"1", b"2")
    with Consumer(lambda: source, list_map, handler=seen.append, decode=int) as consumer:
        consumer.flush(timeout=30)
        assert seen == [1, 2]
        source.put(b"3")
        consumer.flush(timeout=30)
        assert seen == [1, 2, 3]


def test_closing_gives_the_handler_what_is_left(source: ListSource, list_map: EventsMap) -> None:
    seen: list[bytes] = []
    with Consumer(lambda: source, list_map, handler=seen.append, max_pending=1, policy="stop"):
        source.put(b"1", b"2", b"3", b"4")
    assert seen == [b"1", b"2", b"3", b"4"]


def test_closing_without_delivery_stops_after_the_event_at_hand(source: ListSource, list_map: EventsMap) -> None:
    seen: list[bytes] = []
    begun, go_on = threading.Event(), threading.Event()

    def handler(event: bytes) -> None:
        seen.append(event)
        begun.set()
        go_on.wait(30)

    consumer = Consumer(lambda: source, list_map, handler=handler)
    source.put(b"1", b"2", b"3")
    begun.wait(30)
    consumer.pump()
    closing = threading.Thread(target=consumer.close, kwargs={"deliver": False})
    closing.start()
    while not consumer.closed:
        closing.join(0.001)
    go_on.set()
    closing.join(30)
    counters = consumer.counters
    assert seen == [b"1"]
    assert (counters.received, counters.delivered, counters.pending) == (3, 1, 2)


def test_a_slow_handler_does_not_keep_the_buffer_from_being_read(source: ListSource, list_map: EventsMap) -> None:
    go_on, dropped = threading.Event(), list[bytes]()
    consumer = Consumer(
        lambda: source,
        list_map,
        handler=lambda _: go_on.wait(30),
        max_pending=2,
        policy="oldest",
        on_drop=dropped.append,
    )
    with consumer:
        source.put(b"1")
        while consumer.delivered < 1:
            consumer.pump()
        source.put(b"2", b"3", b"4", b"5")
        while consumer.lag:
            consumer.pump()
        assert dropped == [b"2", b"3"]
        with pytest.raises(WaitTimeoutError, match=r"handler of the consumer of map 'events' took more than 0.01 s"):
            consumer.flush(timeout=0.01)
        go_on.set()
    assert consumer.delivered == 3


def test_errors_of_a_handler_do_not_stop_it_and_are_raised_together(source: ListSource, list_map: EventsMap) -> None:
    source.put(b"1", b"two", b"3", b"four")
    seen: list[int] = []
    consumer = Consumer(lambda: source, list_map, handler=seen.append, decode=int)
    with pytest.raises(HandlerErrors, match="2 errors in the background of the consumer of map 'events'") as raised:
        consumer.close()
    assert isinstance(raised.value, BpfError)
    assert ["two" in str(raised.value.exceptions[0]), "four" in str(raised.value.exceptions[1])] == [True, True]
    assert consumer.errors == list(raised.value.exceptions)
    assert seen == [1, 3]


def test_errors_can_be_had_one_by_one(source: ListSource, list_map: EventsMap) -> None:
    errors: list[tuple[str, bytes]] = []
    source.put(b"1", b"2")
    with Consumer(lambda: source, list_map, handler=fail, on_error=lambda e, raw: errors.append((str(e), raw))):
        pass
    assert errors == [("b'1'", b"1"), ("b'2'", b"2")]


def test_an_error_of_the_error_callback_is_raised_at_the_close(source: ListSource, list_map: EventsMap) -> None:
    source.put(b"1")
    consumer = Consumer(lambda: source, list_map, handler=fail, on_error=lambda error, _: fail(error))
    with pytest.raises(HandlerErrors, match="1 error in"):
        consumer.close()


def test_an_error_of_on_drop_does_not_lose_the_other_events(source: ListSource, list_map: EventsMap) -> None:
    consumer = Consumer(lambda: source, list_map, max_pending=1, on_drop=fail)
    source.put(b"1", b"2", b"3")
    assert consumer.pump() == 3
    assert consumer.drain() == [b"1"]
    with pytest.raises(HandlerErrors, match="2 errors"):
        consumer.close()


def test_a_handler_that_always_fails_does_not_fill_the_memory(source: ListSource, list_map: EventsMap) -> None:
    source.put(*[b"x"] * (KEPT_ERRORS + 5))
    consumer = Consumer(lambda: source, list_map, handler=fail)
    with pytest.raises(
        HandlerErrors, match=f"{KEPT_ERRORS + 5} errors in .*, the first {KEPT_ERRORS} of which"
    ) as raised:
        consumer.close()
    assert len(raised.value.exceptions) == KEPT_ERRORS


def test_a_handler_may_close_its_consumer(source: ListSource, list_map: EventsMap) -> None:
    source.put(b"1")
    consumers: list[Consumer] = []
    ready = threading.Event()

    def handler(_: bytes) -> None:
        ready.wait(30)
        consumers[0].close()

    consumers.append(Consumer(lambda: source, list_map, handler=handler))
    ready.set()
    assert source.closed.wait(30)
    assert consumers[0].closed


def test_no_thread_outlives_its_consumer(source: ListSource, list_map: EventsMap) -> None:
    before = set(threading.enumerate())
    consumer = Consumer(lambda: source, list_map, handler=print)
    names = sorted(thread.name for thread in set(threading.enumerate()) - before)
    assert names == ["handles for the consumer of map 'events'", "reads for the consumer of map 'events'"]
    consumer.close()
    assert set(threading.enumerate()) <= before
