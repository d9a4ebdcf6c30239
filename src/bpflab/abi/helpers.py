"""The helpers of the kernel, by name and by number.

The rows are in `helpers.txt`, which is read when the first helper is asked for. `HelperTable` is a
set of rows; a user's own rows, in a file of the same form, make a larger one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.abi.helper_file import HelperFile, parse
from bpflab.abi.helper_model import (
    MEMORY_KINDS,
    SIZE_KINDS,
    Argument,
    ArgumentKind,
    Helper,
    Return,
    ReturnKind,
)
from bpflab.errors import ArgumentError, UnknownHelperError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpflab.abi.prog_types import ProgType

__all__ = [
    "MEMORY_KINDS",
    "SIZE_KINDS",
    "Argument",
    "ArgumentKind",
    "Helper",
    "HelperTable",
    "Return",
    "ReturnKind",
    "all_helpers",
    "helper",
    "table",
]

_ROWS: Final = Path(__file__).with_name("helpers.txt")


class HelperTable:
    """Helpers by name and id, in order of their ids.

    `categories` gives the purpose of each category, `groups` the program types of each group of the
    file, `measured` the kernel that the program types were measured on.
    """

    def __init__(self, rows: HelperFile) -> None:
        ordered = sorted(rows.helpers, key=lambda row: row.id)
        self.categories: Final[Mapping[str, str]] = rows.categories
        self.groups: Final[Mapping[str, frozenset[ProgType]]] = rows.groups
        self.measured: Final = rows.measured
        self.by_id: Final[Mapping[int, Helper]] = {row.id: row for row in ordered}
        self.by_name: Final[Mapping[str, Helper]] = {row.name: row for row in ordered}

    def __iter__(self) -> Iterator[Helper]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)

    def __contains__(self, name_or_id: str | int) -> bool:
        return name_or_id in (self.by_id if isinstance(name_or_id, int) else self.by_name)

    def helper(self, name_or_id: str | int) -> Helper:
        """Find a helper by id, or by name with or without bpf_.

        UnknownHelperError says which names are near, or which ids there are.
        """
        key = name_or_id.removeprefix("bpf_") if isinstance(name_or_id, str) else name_or_id
        found = self.by_name.get(key) if isinstance(key, str) else self.by_id.get(key)
        if found is None:
            raise UnknownHelperError(self._unknown(key))
        return found

    def for_program(self, prog_type: ProgType) -> tuple[Helper, ...]:
        """Return the helpers that a type of program may call."""
        return tuple(row for row in self if prog_type in row.programs)

    def extended_by(self, path: str | Path) -> HelperTable:
        """Return a table with the rows of a file added, which has the form of `helpers.txt`.

        The file may use the groups of this table. ArgumentError, with file and line, if it cannot be
        read or if a row has the name or id of another.
        """
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ArgumentError(f"The helper rows in {path} cannot be read: {error}.") from error
        added = parse(text, str(path), self.groups)
        known = {**self.by_name}
        for row in added.helpers:
            self._check_new(row, known, str(path))
            known[row.name] = row
        categories = {**self.categories, **added.categories}
        return HelperTable(HelperFile(added.groups, categories, list(known.values()), self.measured))

    def _check_new(self, row: Helper, known: Mapping[str, Helper], source: str) -> None:
        taken = known.get(row.name) or next((other for other in known.values() if other.id == row.id), None)
        if taken is not None:
            raise ArgumentError(
                f"{source}: helper {row.id} {row.name} clashes with {taken.id} {taken.name}; "
                f"expected a name and an id of its own. The next free id is {max(self.by_id) + 1}."
            )

    def _unknown(self, key: str | int) -> str:
        if isinstance(key, int):
            return f"No helper has the id {key}; the table holds {min(self.by_id)} to {max(self.by_id)}."
        from difflib import get_close_matches

        near = get_close_matches(key.lower(), self.by_name, n=3)
        return f"No helper is called {key!r}" + (f"; did you mean {' or '.join(near)}?" if near else ".")


@cache
def table() -> HelperTable:
    """Return the table of the kernel's helpers, read once."""
    return HelperTable(parse(_ROWS.read_text("utf-8"), _ROWS.name))


def helper(name_or_id: str | int) -> Helper:
    """Find a helper of the kernel by id, or by name with or without bpf_; else UnknownHelperError."""
    return table().helper(name_or_id)


def all_helpers() -> tuple[Helper, ...]:
    """Return every helper of the kernel, in order of the ids."""
    return tuple(table())
