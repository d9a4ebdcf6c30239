"""The two threads of a consumer: one keeps the buffer empty, one gives events to a handler.

They are two so that a slow handler does not keep the buffer from being read: what does not fit meets the
policy of the queue between them, not the kernel's refusal.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from bpflab.errors import HandlerErrors

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.events.queue import EventQueue

KEPT_ERRORS = 100
"""Errors kept to be raised together; further ones are only counted, as a handler may fail for every event."""


class ErrorLog:
    """Errors of the callbacks: given to `on_error` with the event's bytes, or kept to be raised together."""

    def __init__(self, name: str, on_error: Callable[[Exception, bytes], object] | None) -> None:
        self.kept: list[Exception] = []
        self._name = name
        self._on_error = on_error
        self._count = 0
        self._lock = threading.Lock()

    def report(self, error: Exception, event: bytes) -> None:
        """Take note of an error; one of `on_error` itself is kept."""
        if self._on_error is None:
            self.keep(error)
            return
        try:
            self._on_error(error, event)
        except Exception as second:  # noqa: BLE001 - whatever a callback raises is raised again by close()
            self.keep(second)

    def keep(self, error: Exception) -> None:
        """Keep an error for `raise_all`."""
        with self._lock:
            self._count += 1
            if len(self.kept) < KEPT_ERRORS:
                self.kept.append(error)

    def guard(self, callback: Callable[[bytes], object]) -> Callable[[bytes], None]:
        """Return the callback with its errors reported instead of raised."""

        def guarded(event: bytes) -> None:
            try:
                callback(event)
            except Exception as error:  # noqa: BLE001 - must not end the thread that calls; it is reported
                self.report(error, event)

        return guarded

    def raise_all(self) -> None:
        """Raise HandlerErrors with the errors that were kept, if there are any."""
        if self.kept:
            shown = f", the first {KEPT_ERRORS} of which follow" if self._count > KEPT_ERRORS else ""
            errors = "error" if self._count == 1 else "errors"
            raise HandlerErrors(
                f"{self._count} {errors} in the background of {self._name}{shown}; the other events were "
                "handled. Give on_error to see each as it happens.",
                self.kept,
            )


class Background:
    """A thread that calls `step` until it is stopped, and whose failure is not swallowed."""

    def __init__(self, name: str, step: Callable[[], bool], failed: Callable[[Exception], object]) -> None:
        self._step = step
        self._failed = failed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in this thread."""
        return threading.current_thread() is self._thread

    def leave(self) -> None:
        """Let the step that runs be the last."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until the thread has ended by itself; returns at once inside the thread."""
        if not self.is_current:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set() and self._step():
                pass
        except Exception as error:  # noqa: BLE001 - kept and raised by close(); a thread has no caller to raise to
            self._failed(error)


def handling(
    queue: EventQueue,
    handler: Callable[[Any], object],
    decode: Callable[[bytes], Any] | None,
    errors: ErrorLog,
) -> Callable[[], bool]:
    """Return the step that gives the next event to a handler; False when the queue has ended and is empty."""

    def step() -> bool:
        event = queue.wait_take()
        if event is None:
            return False
        try:
            handler(event if decode is None else decode(event))
        except Exception as error:  # noqa: BLE001 - must not end the thread; it is reported
            errors.report(error, event)
        return True

    return step
