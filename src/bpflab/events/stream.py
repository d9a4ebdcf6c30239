"""Events for an event loop of asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bpflab.events.queue import EventQueue

TURN = 256
"""Events after which other tasks of the loop get their turn, even if more are pending."""


async def stream(queue: EventQueue, decode: Callable[[bytes], Any] | None, idle: float | None) -> AsyncIterator[Any]:
    """Iterate over the events of a queue that a thread fills, until it ends, or none comes for `idle` seconds."""
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def tell() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed without closing this iterator
            loop.call_soon_threadsafe(news.set)

    queue.listeners.append(tell)
    try:
        while True:
            news.clear()
            async for event in _turns(queue):
                yield event if decode is None else decode(event)
            if queue.ended or not await _happens(news, idle):
                return
    finally:
        queue.listeners.remove(tell)


async def _turns(queue: EventQueue) -> AsyncIterator[bytes]:
    taken = 0
    while (event := queue.take()) is not None:
        yield event
        taken += 1
        if taken % TURN == 0:
            await asyncio.sleep(0)


async def _happens(event: asyncio.Event, idle: float | None) -> bool:
    try:
        await asyncio.wait_for(event.wait(), idle)
    except TimeoutError:
        return False
    return True
