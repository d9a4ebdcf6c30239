"""Maps of maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from bpflab.errors import ArgumentError, CodecError
from bpflab.maps.batch import DeleteBatchMap, UpdateBatchMap
from bpflab.maps.codecs.references import ReferenceCodec
from bpflab.maps.deletion import DeleteMap
from bpflab.maps.handle import MapHandle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.flags import MapFlag
    from bpflab.abi.map_types import MapType
    from bpflab.backend.descriptor import Descriptor
    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.maps.batch_call import RawBatch
    from bpflab.maps.choice import Surroundings
    from bpflab.maps.codecs.base import BaseCodec, Readable
    from bpflab.maps.shape import MapShape
    from bpflab.maps.template import Template

K = TypeVar("K")


class InnerMapCodec(ReferenceCodec):
    """An inner map: takes a map or its descriptor, gives the map object itself."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__("map", around.byteorder)
        self.outer: MapOfMaps[Any] | None = None

    def pack(self, value: object, /) -> bytes:
        """Return the descriptor's bytes."""
        if isinstance(value, MapHandle) and self.outer is not None:
            self.outer.know(value)
        return super().pack(value)

    def unpack(self, data: Readable, /) -> Any:  # noqa: ANN401 - a map, whose family is not known here
        """Return the map of the number that the kernel answers."""
        number = super().unpack(data)
        if self.outer is None:
            raise CodecError(f"The inner map of id {number} is read through its outer map only.")
        return self.outer.map_of(number)


class MapOfMaps(UpdateBatchMap[K, Any], DeleteMap[K, Any]):
    """Values are maps: `m[k] = inner` puts one in (or replaces what is there), `m[k]` is it, `del m[k]` removes it.

    What is put in must be like the template: `inner=` of `lab.map()`, or of the object file. `create(k)` makes
    such a map and puts it in. An inner map lives while the outer one holds it; the Lab closes its own
    descriptors of both. A map that this object does not know (a program or another process put it in) is opened.
    """

    def __init__(self, lab: Lab, descriptor: Descriptor, shape: MapShape) -> None:
        super().__init__(lab, descriptor, shape)
        self.template: Template | None = None
        self._known: dict[int, MapHandle[Any, Any]] = {}
        if isinstance(shape.value, InnerMapCodec):
            shape.value.outer = self

    @classmethod
    def value_codec(cls, kind: MapType, given: object, around: Surroundings, flags: MapFlag) -> BaseCodec[Any]:  # noqa: ARG003 - goes by the type
        """Make the codec of an inner map."""
        if given not in {None, 4, "u32"}:
            raise ArgumentError(f"value is {given!r}, and the values of a {kind.name} map are maps; leave it out.")
        return InnerMapCodec(around)

    def keep_template(self, template: Template) -> None:
        """Remember what inner maps must be like."""
        self.template = template

    def create(self, key: K, **changes: object) -> Map[Any, Any]:
        """Make an inner map like the template, with some arguments of `lab.map()` changed, and put it in at a key."""
        if self.template is None or self.template.make is None:
            raise ArgumentError(
                f"The {self.shape.label} was not created from arguments (inner={{...}}); make the inner map with "
                "lab.map() and put it in with m[key] = inner."
            )
        inner = self.template.make(**changes)
        self[key] = inner
        return inner

    def inner_id(self, key: K) -> int:
        """Return the number of the map at a key; MapKeyError when there is none."""
        return int(self[key].id)

    def know(self, inner: MapHandle[Any, Any]) -> None:
        """Remember a map, so that it is itself that comes back."""
        self._known[inner.id] = inner

    def map_of(self, number: int) -> MapHandle[Any, Any]:
        """Return the map of a number: the one that was put in, or one that is opened now."""
        found = self._known.get(number)
        if found is None or found.closed:
            found = self._known[number] = self._opened(number)
        return found

    def _opened(self, number: int) -> MapHandle[Any, Any]:
        from bpflab.maps.opened import open_map

        like = self.template.shape if self.template else None
        if like is None or not like.key_size:
            return open_map(self.lab, id=number, name="")
        return open_map(self.lab, id=number, name="", key=like.key, value=like.element)


class ArrayOfMaps(MapOfMaps[int]):
    """ARRAY_OF_MAPS: maps by index. They are read one by one: batches of older kernels stop at empty places."""

    KEY = "u32"

    def _raw(self) -> Iterator[RawBatch]:
        return self._by_single()

    def _single_keys(self) -> Iterator[bytes]:
        return map(self.shape.key.pack, range(self.max_entries))


class HashOfMaps(MapOfMaps[K], DeleteBatchMap[K, Any]):
    """HASH_OF_MAPS: maps by keys of any kind."""
