"""Events in an event loop of asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bpflab.events.consumer import Consumer
from bpflab.events.queue import EventQueue
from bpflab.events.source import Batch
from bpflab.events.stream import TURN, stream

if TYPE_CHECKING:
    from tests.events.conftest import EventsMap, ListSource


def test_events_are_iterated_while_the_loop_does_other_things(source: ListSource, list_map: EventsMap) -> None:
    async def main() -> list[int]:
        seen: list[int] = []
        with Consumer(lambda: source, list_map, decode=int) as consumer:
            asyncio.get_running_loop().call_later(0.01, source.put, b"1", b"2")
            async for event in consumer:
                seen.append(event)
                if event == 2:
                    asyncio.get_running_loop().call_soon(source.put, b"3")
                if event == 3:
                    return seen
        return []

    assert asyncio.run(main()) == [1, 2, 3]


def test_an_iteration_ends_after_the_time_out_without_an_event(source: ListSource, list_map: EventsMap) -> None:
    async def main() -> list[bytes]:
        with Consumer(lambda: source, list_map, timeout=0.05) as consumer:
            source.put(b"1")
            return [event async for event in consumer]

    assert asyncio.run(main()) == [b"1"]


def test_an_iteration_ends_when_the_consumer_closes(source: ListSource, list_map: EventsMap) -> None:
    async def main() -> list[bytes]:
        consumer = Consumer(lambda: source, list_map)
        asyncio.get_running_loop().call_later(0.01, consumer.close)
        return [event async for event in consumer]

    assert asyncio.run(main()) == []


def test_many_pending_events_leave_other_tasks_their_turn(source: ListSource, list_map: EventsMap) -> None:
    async def main() -> int:
        before_other = 0
        source.put(*[b"x"] * TURN * 3)
        with Consumer(lambda: source, list_map, timeout=0.1) as consumer:
            consumer.pump()
            events = aiter(consumer)
            await anext(events)
            other: list[None] = []
            asyncio.get_running_loop().call_soon(other.append, None)
            async for _ in events:
                before_other += 1
                if other:
                    return before_other
        return 0

    assert 0 < asyncio.run(main()) <= TURN


def test_a_loop_that_was_closed_does_not_hurt_the_reader(source: ListSource, list_map: EventsMap) -> None:
    consumer = Consumer(lambda: source, list_map)
    events = aiter(consumer)

    async def first() -> object:
        return await anext(events)

    source.put(b"1")
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(first()) == b"1"
    loop.close()
    source.put(b"2")
    assert consumer.get(timeout=30) == b"2"
    consumer.close()


def test_an_iteration_that_ended_is_told_of_nothing_more() -> None:
    queue = EventQueue()

    async def main() -> object:
        queue.offer(Batch([b"1"], size=1, consumed=9))
        return [event async for event in stream(queue, None, idle=0)]

    assert asyncio.run(main()) == [b"1"]
    assert queue.listeners == []
