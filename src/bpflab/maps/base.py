"""`Map`: what `lab.map()` returns, to a type checker."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bpflab.maps.handle import MapHandle

K = TypeVar("K")
V = TypeVar("V")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    class Map(MapHandle[K, V]):
        """A map of a family that only run time knows: a type checker lets every family's operations pass.

        Narrow it with `isinstance(m, HashMap)` to have them checked.
        """

        def __getitem__(self, key: K) -> V: ...

        def __setitem__(self, key: K, value: V) -> None: ...

        def __delitem__(self, key: K) -> None: ...

        def __contains__(self, key: object) -> bool: ...

        def __iter__(self) -> Iterator[K]: ...

        def __len__(self) -> int: ...

        def __eq__(self, other: object) -> bool: ...

        __hash__ = MapHandle.__hash__

        def __getattr__(self, name: str) -> Any: ...  # noqa: ANN401 - the operations of every family

else:
    Map = MapHandle
