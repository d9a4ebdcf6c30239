"""What keeps the content of one map, and the bytes by which it is read and written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.maps.codecs.plain import BytesCodec
from bpflab.maps.slots import ElementSlot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpflab.maps.handle import MapHandle

Entries = dict[bytes, bytes]


class Keeper(Protocol):
    """Holds what one map held."""

    def restore(self) -> None:
        """Make the map hold it again."""

    def close(self) -> None:
        """Release what it holds besides."""


class RawMap:
    """A map's elements as bytes; in a per-CPU map a value is those of all CPUs. Errors are the map's own."""

    def __init__(self, source: MapHandle[Any, Any]) -> None:
        self.source = source
        key, value = BytesCodec(source.shape.key_size), BytesCodec(source.shape.value.size)
        self._slot = ElementSlot(source.lab.backend, source.fileno(), key, value)

    def read(self) -> Entries:
        """Return all entries of a map that can be walked, in the order of the walk."""
        found: Entries = {}
        key_size, value_size = self.source.shape.key_size, self.source.shape.value.size
        for batch in self.source.raw_batches():  # type: ignore[attr-defined]  # only maps that can be walked are given
            keys, values = bytes(batch.keys), bytes(batch.values)
            for at in range(batch.count):
                found[keys[at * key_size : (at + 1) * key_size]] = values[at * value_size : (at + 1) * value_size]
        return found

    def write(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Write entries, one by one."""
        slot = self._slot
        for slot.key[0], slot.value[0] in entries:
            self._call(slot.update, Command.MAP_UPDATE_ELEM)

    def delete(self, keys: Iterable[bytes]) -> None:
        """Delete keys; one that is gone already is fine."""
        slot = self._slot
        for slot.key[0] in keys:
            self._call(slot.delete, Command.MAP_DELETE_ELEM, Errno.ENOENT)

    def _call(self, call: Callable[[], int], command: Command, fine: int = 0) -> None:
        lab = self.source.lab
        if call() >= 0 or lab.call.retry.run(call, lab.backend.errno) >= 0:
            return
        errno = lab.backend.errno()
        if errno != fine:
            raise self.source.error(command, errno)
