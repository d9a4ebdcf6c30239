"""One element call, prepared: attr, key and value in place, and the calls as ready partials."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.backend.attr import Attr
from bpflab.backend.base import Preparing

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.backend.base import Backend
    from bpflab.maps.codecs.base import BaseCodec, Cell


class ElementSlot:
    """The memory of one lookup, update or delete at a time: put `key[0]` and `value[0]`, then call.

    The calls share one attr, of which each command gets as many bytes as it knows. They answer as bpf(2)
    does; a missing codec leaves a null pointer.
    """

    __slots__ = ("__weakref__", "attr", "delete", "key", "lookup", "take", "update", "value")

    def __init__(
        self,
        backend: Backend,
        fd: int,
        key_codec: BaseCodec[Any] | None,
        value_codec: BaseCodec[Any] | None,
        *,
        quick: bool = False,
    ) -> None:
        self.key: Cell[Any]
        self.value: Cell[Any]
        self.key, key_address = key_codec.cell() if key_codec else ([None], 0)
        self.value, value_address = value_codec.cell() if value_codec else ([None], 0)
        fields = {"map_fd": fd, "key": key_address, "value": value_address}
        self.attr = Attr(Command.MAP_UPDATE_ELEM, fields)
        self.bind(backend, quick=quick)

    def bind(self, backend: Backend, *, quick: bool = False) -> None:
        """Prepare the calls for a backend, from the first on or instead of the one before."""
        attr = self.attr
        self.lookup = prepared(backend, Command.MAP_LOOKUP_ELEM, attr, quick=quick)
        self.update = prepared(backend, Command.MAP_UPDATE_ELEM, attr, quick=quick)
        self.delete = prepared(backend, Command.MAP_DELETE_ELEM, attr, quick=quick)
        self.take = prepared(backend, Command.MAP_LOOKUP_AND_DELETE_ELEM, attr, quick=quick)


class NextKeySlot:
    """The memory of one step from key to key: call `first`, or put `key[0]` and call `after`; then read `next[0]`."""

    __slots__ = ("__weakref__", "_attrs", "after", "first", "key", "next")

    def __init__(self, backend: Backend, fd: int, key_codec: BaseCodec[Any]) -> None:
        self.key, key_address = key_codec.cell()
        self.next, next_address = key_codec.cell()
        first = {"map_fd": fd, "key": 0, "next_key": next_address}
        self._attrs = (
            Attr(Command.MAP_GET_NEXT_KEY, first),
            Attr(Command.MAP_GET_NEXT_KEY, {**first, "key": key_address}),
        )
        self.bind(backend)

    def bind(self, backend: Backend, *, quick: bool = False) -> None:
        """Prepare the calls for a backend, from the first on or instead of the one before.

        They are never quick: a step goes over all buckets that are empty, which may be a million.
        """
        del quick
        self.first, self.after = (prepared(backend, Command.MAP_GET_NEXT_KEY, attr) for attr in self._attrs)


def prepared(backend: Backend, command: Command, attr: Attr, *, quick: bool = False) -> Callable[[], int]:
    """Bind a command's arguments: a call without any is what costs least. `quick` says that it never waits."""
    size = LAYOUTS[command].size
    if quick and isinstance(backend, Preparing):
        return backend.prepare(int(command), attr.pointer, size)
    return partial(backend.bpf, int(command), attr.pointer, size)
