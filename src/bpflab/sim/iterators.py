"""Open-coded iterators on a program's stack: begun, asked for the next until there is none, ended.

The first eight bytes hold a number by which the run finds what is left; they must stay where they were written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from bpflab.sim.fault import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpflab.sim.test_run import Environment

STATE: Final = "iterators"
WORD: Final = 8


def begin(env: Environment, place: int, found: Iterable[int]) -> None:
    """Begin one at a place, over numbers or addresses."""
    table = _table(env)
    number = len(table) + 1
    table[number] = iter(found)
    env.run.memory.store(place, WORD, number)


def advance(env: Environment, place: int) -> int | None:
    """Return what comes next; None at the end. A fault where none was begun."""
    found = _table(env).get(env.run.memory.load(place, WORD))
    if found is None:
        raise Fault(FaultKind.HELPER_ARGUMENT, f"there is no iterator at {place:#x}")
    return next(found, None)


def end(env: Environment, place: int) -> None:
    """End one."""
    env.run.memory.store(place, WORD, 0)


def _table(env: Environment) -> dict[int, Iterator[int]]:
    return cast("dict[int, Iterator[int]]", env.state.setdefault(STATE, {}))
