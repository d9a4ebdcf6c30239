"""A part of a Lab's life: what is opened in it is closed at its end."""

from __future__ import annotations

import contextlib
from operator import is_
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab.lab.owner import Closable

OwnerT = TypeVar("OwnerT")


class Scope(Generic[OwnerT]):
    """A context manager that closes what its Lab opened inside the block, and leaves what was open before."""

    __slots__ = ("_before", "_owned", "lab")

    def __init__(self, lab: OwnerT, owned: list[Closable]) -> None:
        self.lab = lab
        self._owned = owned
        self._before: list[Closable] = []

    def __enter__(self) -> OwnerT:
        self._before = self._owned[:]
        return self.lab

    def __exit__(self, *_: object) -> None:
        owned = self._owned
        if len(owned) == len(self._before) and all(map(is_, owned, self._before)):
            return
        known = set(map(id, self._before))
        opened = [each for each in owned if id(each) not in known]
        owned[:] = [each for each in owned if id(each) in known]
        close_all(opened)


def close_all(resources: Iterable[Closable]) -> None:
    """Close resources, the last one first; every close is tried, and the last error is raised."""
    with contextlib.ExitStack() as stack:
        for resource in resources:
            stack.callback(resource.close)
