"""The names of BTF types in C: unique where BTF has several of one name, and words of C left out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf

TAGS: Final = {
    BtfKind.STRUCT: "struct",
    BtfKind.UNION: "union",
    BtfKind.ENUM: "enum",
    BtfKind.ENUM64: "enum",
    BtfKind.FWD: "struct",
}
"""The kinds whose names stand behind a word of their own, and may be those of typedefs as well."""
BUILT_IN: Final = frozenset({"__builtin_va_list"})
"""Names that the compiler has defined already."""


class CNames:
    """Names for the types of a BTF: the second of a name is `name___2`, which CO-RE takes as a flavour of it."""

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self._given: dict[int, str] = {}
        self._tags: Counter[str] = Counter()
        self._ordinary: Counter[str] = Counter()

    def tag(self, type_id: int) -> str:
        """Return the name of a struct, union or enum, without its word; empty for an anonymous one."""
        return self._unique(type_id, self._tags)

    def ordinary(self, type_id: int) -> str:
        """Return the name of a typedef."""
        return self._unique(type_id, self._ordinary)

    def enumerator(self, name: str) -> str:
        """Return the name of an enumerator, which share their names with typedefs."""
        return self._counted(name, self._ordinary)

    def _unique(self, type_id: int, used: Counter[str]) -> str:
        if type_id not in self._given:
            name = self.btf.name(type_id)
            self._given[type_id] = self._counted(name, used) if name and name not in BUILT_IN else name
        return self._given[type_id]

    @staticmethod
    def _counted(name: str, used: Counter[str]) -> str:
        used[name] += 1
        return name if used[name] == 1 else f"{name}___{used[name]}"
