"""Where a tracing program runs, and what the processor counted there: values that a test sets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Probe:
    """What a program can ask of the hook that it runs at.

    `function` is the address of the traced function (0: none is known), `cookie` the number that the link was given;
    `returning` says that a session's program runs at the return of the function; `session` is where its cookie lies.
    """

    function: int = 0
    cookie: int = 0
    returning: bool = False
    session: int = 0


@dataclass(slots=True)
class Counter:
    """A perf counter: its value, and the nanoseconds that it was enabled and running."""

    value: int = 0
    enabled: int = 0
    running: int = 0
