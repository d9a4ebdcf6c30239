"""Maps and programs of an object, by attribute and by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from bpflab.arguments import near_names
from bpflab.errors import NoSuchNameError

ValueT = TypeVar("ValueT")


class Names(Mapping[str, ValueT]):
    """A mapping whose entries are attributes too; a name that is not there is answered with the near ones.

    Names that are no identifiers, such as `.rodata`, are read by `[...]`.
    """

    __slots__ = ("_entries", "_noun", "_owner")

    def __init__(self, entries: Mapping[str, ValueT], noun: str, owner: str) -> None:
        self._entries = dict(entries)
        self._noun = noun
        self._owner = owner

    def __getitem__(self, name: str) -> ValueT:
        try:
            return self._entries[name]
        except KeyError:
            near = near_names(str(name), self._entries)
            raise NoSuchNameError(f"{self._owner} has no {self._noun} {name!r}{near}") from None

    def __getattr__(self, name: str) -> ValueT:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._entries]

    def __repr__(self) -> str:
        return f"<{self._noun}s of {self._owner}: {', '.join(self._entries) or 'none'}>"
