"""What all consumers of events have in common: taking events, the background, the counters, closing."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Self

from bpflab.errors import ClosedError, WaitTimeoutError
from bpflab.events.background import Background, ErrorLog, handling
from bpflab.events.counters import Counted
from bpflab.events.intake import SLICE, Intake, deadline_of, left_until
from bpflab.events.queue import EventQueue, Policy
from bpflab.events.source import check_map

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType

    from bpflab.abi.map_types import MapType
    from bpflab.events.counters import Counters
    from bpflab.events.source import EventMap, Source


class Consumer(Counted):
    """Events of a buffer that a kernel fills; `open_source` opens it.

    `max_pending` bounds the events that are read and not taken (None: no bound); `policy` says what happens to
    more of them, see Policy. `on_drop(event)` gets the bytes of each event that is dropped.

    `handler(event)` gets each event, in a thread of its own. `on_error(error, event)` gets what a callback raised
    and the bytes of its event; without it the errors are kept, and `close()` raises them together.

    `decode(data)` makes of an event's bytes what is delivered; without it that is the bytes. `timeout` is after how
    many seconds without an event an iteration ends; None is never.

    Without a handler the buffer is read when an event is asked for; `start()` reads it in the background. With a
    handler both happen in the background from the beginning. Used as a context manager, the consumer closes at the
    end, and in any case with its Lab.
    """

    _type: ClassVar[MapType | None] = None

    def __init__(
        self,
        open_source: Callable[[], Source],
        map: EventMap,  # noqa: A002 - the field's own word for it
        *,
        max_pending: int | None = None,
        policy: Policy | str = Policy.NEWEST,
        handler: Callable[[Any], object] | None = None,
        on_drop: Callable[[bytes], object] | None = None,
        on_error: Callable[[Exception, bytes], object] | None = None,
        decode: Callable[[bytes], Any] | None = None,
        timeout: float | None = None,
    ) -> None:
        check_map(map, self._type)
        self._what = f"the consumer of map {map.name!r}"
        self._errors = ErrorLog(self._what, on_error)
        self._queue = EventQueue(max_pending, policy)
        dropped = None if on_drop is None else self._errors.guard(on_drop)
        self._intake = Intake(open_source(), self._queue, dropped)
        self._handler = handler
        self._decode = decode
        self._timeout = timeout
        self._reader: Background | None = None
        self._worker: Background | None = None
        self._state = threading.Lock()
        self._closed = False
        self._lab = map.lab
        self._lab.own(self)
        if handler is not None:
            self.start()

    def drain(self) -> list[Any]:
        """Take all events that are there now, at once and past max_pending.

        An event that `decode` fails for is taken and the error raised; the others stay for the next call.
        """
        self._check_open()
        return self._decoded(self._intake.drain())

    def get(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - what `decode` makes
        """Take the next event, waiting for it; WaitTimeoutError after `timeout` seconds, None waits for ever."""
        event = self._next(timeout)
        if event is None:
            raise WaitTimeoutError(f"No event came to {self._what} within {timeout} s; {self.counters}.")
        return self._decoded([event])[0]

    def take(self, count: int, timeout: float | None = None) -> list[Any]:
        """Take `count` events, waiting for them; fewer when they did not all come within `timeout` seconds."""
        deadline = deadline_of(timeout)
        events: list[bytes] = []
        while len(events) < count and (event := self._next(left_until(deadline))) is not None:
            events.append(event)
        return self._decoded(events)

    def events(self, timeout: float | None = None) -> Iterator[Any]:
        """Iterate until no event comes for `timeout` seconds (None: for ever), or the consumer is closed."""
        self._check_open()
        return self._iterate(timeout)

    def __iter__(self) -> Iterator[Any]:
        return self.events(self._timeout)

    def __aiter__(self) -> AsyncIterator[Any]:
        """Iterate in an event loop, without holding it up; the buffer is read in the background."""
        from bpflab.events.stream import stream

        self.start()
        return stream(self._queue, self._decode, self._timeout)

    def start(self) -> Self:
        """Read the buffer in the background from now on; starting twice is fine."""
        with self._state:
            self._check_open()
            if self._reader is None:
                self._reader = Background(f"reads for {self._what}", self._read_on, self._failed)
                if self._handler is not None:
                    step = handling(self._queue, self._handler, self._decode, self._errors)
                    self._worker = Background(f"handles for {self._what}", step, self._failed)
        return self

    def pump(self) -> int:
        """Move what is in the buffer now to the pending events, under the policy; how many events arrived."""
        self._check_open()
        before = self.counters.received
        self._intake.move_all()
        return self.counters.received - before

    def flush(self, timeout: float | None = None) -> None:
        """Wait until the handler is done with all that is there now; WaitTimeoutError after `timeout` seconds."""
        self._check_open()
        deadline = deadline_of(timeout)
        self._intake.move_all(wait=0 if self._worker is None else left_until(deadline))
        if self._worker is not None and not self._queue.wait_idle(left_until(deadline)):
            raise WaitTimeoutError(f"The handler of {self._what} took more than {timeout} s; {self.counters}.")

    @property
    def counters(self) -> Counters:
        """All counters at this moment, or at the close."""
        return self._intake.counters()

    @property
    def errors(self) -> list[Exception]:
        """What callbacks raised so far and `close()` will raise together."""
        return list(self._errors.kept)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self, *, deliver: bool = True) -> None:
        """Stop, unmap and close; HandlerErrors with what callbacks raised. Closing twice is fine.

        A handler first gets all that is pending and in the buffer; with `deliver=False` it is stopped after the
        event it has. Who waits for an event is woken: an iteration ends, `get` raises ClosedError.
        """
        with self._state:
            if self._closed:
                return
            if self._worker is not None and not deliver:
                self._worker.leave()
            self._closed = True
        with ExitStack() as stack:
            stack.callback(self._lab.disown, self)
            stack.callback(self._intake.close)
            self._stop(deliver=deliver)
        if not self._in_background():
            self._errors.raise_all()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._what}, {'closed' if self._closed else 'open'}, {self.counters}>"

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"{self._what} is closed; it closes with its Lab, or at the end of its with block.")
        if self._queue.ended:
            raise ClosedError(f"{self._what} has stopped on an error; close() raises it.")

    def _next(self, timeout: float | None) -> bytes | None:
        self._check_open()
        deadline = deadline_of(timeout)
        while (event := self._queue.take()) is None:
            left = left_until(deadline, most=SLICE)
            if self._reader is None:
                self._intake.advance(left)
                event = self._queue.take()
            else:
                event = self._queue.wait_take(left)
            if event is not None or left <= 0:
                break
            self._check_open()
        return event

    def _iterate(self, timeout: float | None) -> Iterator[Any]:
        take, decode = self._queue.take, self._decode
        while not self._closed:
            event = take()
            if event is None:
                try:
                    event = self._next(timeout)
                except ClosedError:
                    return
                if event is None:
                    return
            yield event if decode is None else decode(event)

    def _decoded(self, events: list[bytes]) -> list[Any]:
        if self._decode is None:
            return events
        decoded = []
        for event in events:
            try:
                decoded.append(self._decode(event))
            except Exception:
                bad = len(decoded)
                self._queue.put_back(events[:bad] + events[bad + 1 :])
                raise
        return decoded

    def _read_on(self) -> bool:
        self._intake.advance(SLICE)
        return True

    def _failed(self, error: Exception) -> None:
        self._errors.keep(error)
        self._queue.end()

    def _in_background(self) -> bool:
        return any(thread is not None and thread.is_current for thread in (self._reader, self._worker))

    def _stop(self, *, deliver: bool) -> None:
        if self._reader is not None:
            self._reader.leave()
            self._reader.join()
        if self._worker is not None and deliver and not self._in_background():
            self._intake.move_all(wait=threading.TIMEOUT_MAX)
        self._queue.end()
        if self._worker is not None:
            self._worker.join()
