"""ARRAY_OF_MAPS and HASH_OF_MAPS: maps by index and by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.base import EXIST, SimMap
from bpflab.sim.maps.element import Element
from bpflab.sim.maps.hash import KeyedMap
from bpflab.sim.maps.slots import SlotMap
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec, MapTraits
    from bpflab.sim.request import Request

OUTER: Final = frozenset({MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS})


def template_of(kernel: SimKernel, request: Request) -> MapTraits:
    """Return the traits that inner maps have to have; EINVAL for a map of maps, ENOTSUPP for other types."""
    template = kernel.find(request["inner_map_fd"], SimMap)
    refuse_if(template.type in OUTER)
    refuse_if(not template.can_be_inner, Errno.ENOTSUPP)
    return template.traits


def inner_map(outer: SimMap, template: MapTraits, fd: int) -> SimMap:
    """Return the map of a descriptor, with a reference taken; EINVAL when it is not like the template."""
    inner = outer.kernel.find(fd, SimMap)
    refuse_if(not inner.fits(template))
    inner.get()
    return inner


class ArrayOfMaps(SlotMap):
    """ARRAY_OF_MAPS. Programs look up the address of a map."""

    template: MapTraits

    @classmethod
    def make(cls, kernel: SimKernel, spec: MapSpec, request: Request) -> SimMap:
        """Make it with the template that the attr names."""
        template = template_of(kernel, request)
        made = cls(kernel, spec)
        made.template = template
        return made

    def find(self, fd: int) -> SimMap:
        """Return the map of a descriptor."""
        return inner_map(self, self.template, fd)

    def lookup(self, key: bytes) -> int:
        """Return the address of the map at an index, 0 for an empty slot."""
        found = self.at(key)
        return found.address if isinstance(found, SimMap) else 0


class InnerElement(Element):
    """An element that holds a map."""

    __slots__ = ("inner",)

    def __init__(self, key: bytes, inner: SimMap) -> None:
        super().__init__(key, bytearray())
        self.inner = inner


class HashOfMaps(KeyedMap):
    """HASH_OF_MAPS. Programs look up the address of a map."""

    can_be_inner: ClassVar[bool] = False
    template: MapTraits

    @classmethod
    def make(cls, kernel: SimKernel, spec: MapSpec, request: Request) -> SimMap:
        """Make it with the template that the attr names."""
        template = template_of(kernel, request)
        made = cls(kernel, spec)
        made.template = template
        return made

    def lookup(self, key: bytes) -> int:
        """Return the address of the map, 0 when the key is not there."""
        found = self.table.get(key)
        return found.inner.address if isinstance(found, InnerElement) else 0

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Put the map of a descriptor at a key; E2BIG when the map is full."""
        inner = inner_map(self, self.template, int.from_bytes(value, self.byteorder))
        refused = self._put(key, inner, flags)
        if refused:
            inner.put()
        return refused

    def delete(self, key: bytes) -> int:
        """Remove; ENOENT."""
        element = self.table.get(key)
        if not isinstance(element, InnerElement):
            return -Errno.ENOENT
        self.take_out(element)
        element.inner.put()
        return 0

    def user_value(self, element: Element) -> bytes:
        """Return the id of the map."""
        if not isinstance(element, InnerElement):
            raise Refusal(Errno.ENOENT)
        return element.inner.id.to_bytes(4, self.byteorder)

    def free(self) -> None:
        """Give the maps back."""
        for key in list(self.table):
            self.delete(key)
        super().free()

    def _put(self, key: bytes, inner: SimMap, flags: int) -> int:
        if flags > EXIST:
            return -Errno.EINVAL
        old = self.table.get(key)
        refused = self.check_flags(old, flags)
        if refused:
            return refused
        if old is None and len(self.table) >= self.max_entries:
            return -Errno.E2BIG
        new = InnerElement(key, inner)
        if isinstance(old, InnerElement):
            self.table[key] = new
            self.chain.replace(old, new)
            old.inner.put()
        else:
            self.insert(new)
        return 0


TYPES = {MapType.ARRAY_OF_MAPS: ArrayOfMaps, MapType.HASH_OF_MAPS: HashOfMaps}
