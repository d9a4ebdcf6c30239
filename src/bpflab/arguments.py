"""Checks of the arguments of public calls, at the door."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum
from typing import TypeVar

from bpflab.errors import ArgumentError

EnumT = TypeVar("EnumT", bound=IntEnum)


def check_type(name: str, value: object, expected: type | tuple[type, ...], wanted: str) -> None:
    """Raise ArgumentError when an argument has the wrong type; `wanted` says in words what was expected."""
    if not isinstance(value, expected):
        raise ArgumentError(f"{name} is {value!r} of type {type(value).__name__}; expected {wanted}.")


def check_iterable(name: str, value: object, of: str) -> None:
    """Raise ArgumentError when an argument cannot be iterated over; `of` says in words what it should hold."""
    check_type(name, value, Iterable, f"an iterable of {of}")


def check_integer(name: str, value: object, low: int, high: int) -> None:
    """Raise ArgumentError when an argument is no integer between two bounds, both included."""
    if not isinstance(value, int) or not low <= value <= high:
        raise ArgumentError(f"{name} is {value!r}; expected an integer from {low} to {high}.")


def enum_member(name: str, value: EnumT | str | int, kind: type[EnumT]) -> EnumT:
    """Return the member that a name (any case), number or member stands for; ArgumentError with near names."""
    try:
        return kind[value.upper()] if isinstance(value, str) else kind(value)
    except (KeyError, ValueError):
        raise ArgumentError(
            f"{name} {value!r} is no {kind.__name__}{near_names(str(value), kind.__members__)}"
        ) from None


def near_names(given: str, known: Iterable[str]) -> str:
    """Say which known names are near the given one, or list them all when they are few, as `; did you mean …?`."""
    names = list(known)
    folded = {name.lower(): name for name in names}
    near = [folded[name] for name in get_close_matches(given.lower(), folded, n=3)]
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there is {', '.join(names)}." if 0 < len(names) <= 12 else "." if names else "; there are none."
