"""LPM_TRIE: the longest prefix that a key begins with.

A key is its prefix length (u32, the target's byte order) and the data it counts from the first
byte's highest bit. Elements are kept by their prefix as a text of bits; walking goes from the longer
prefixes of a branch to the shorter, the branch of 0 before that of 1 (kernel/bpf/lpm_trie.c).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter
from typing import TYPE_CHECKING, ClassVar, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.sim.maps import record, rules
from bpflab.sim.maps.base import EXIST, NOEXIST, SimMap
from bpflab.sim.maps.element import Element
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.btf import SimBtf
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec

LENGTH_SIZE: Final = 4
END: Final = "2"
"""Ends the text of a prefix, so that what it is a prefix of is sorted before it."""
MAX_VALUE: Final = rules.KMALLOC_MAX - 256 - 24
"""What one allocation has room for beside the longest key and a node's head (LPM_VAL_SIZE_MAX)."""


class LpmTrieMap(SimMap):
    """LPM_TRIE."""

    too_big: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self.max_prefix = (spec.key_size - LENGTH_SIZE) * 8
        self._elements: dict[str, Element] = {}
        self._order: list[str] = []
        self._lengths: Counter[int] = Counter()

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do, and (EINVAL) a value too large for one allocation with its key."""
        super().check(spec)
        refuse_if(spec.value_size > MAX_VALUE)

    def check_btf(self, btf: SimBtf) -> None:
        """Refuse (EINVAL) a key that is no struct."""
        from bpflab.obj.btf_layout import resolve

        key = self.spec.btf_key_type_id
        refuse_if(not key or btf.types.kind(resolve(btf.types, key)) != BtfKind.STRUCT)

    def lookup(self, key: bytes) -> int:
        """Return the address of the value of the longest matching prefix, 0 when none matches."""
        element = self._match(key)
        return 0 if element is None else element.address(self)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Insert or replace a prefix; ENOSPC when the map is full."""
        bits = self._bits(key)
        if flags > EXIST or bits is None:
            return -Errno.EINVAL
        old = self._elements.get(bits)
        if old is None:
            return self._insert(bits, key, value, flags)
        if flags == NOEXIST:
            return -Errno.EEXIST
        old.retire(self)
        self._elements[bits] = self._element(key, value)
        return 0

    def delete(self, key: bytes) -> int:
        """Remove exactly this prefix; ENOENT."""
        bits = self._bits(key)
        if bits is None:
            return -Errno.EINVAL
        element = self._elements.pop(bits, None)
        if element is None:
            return -Errno.ENOENT
        element.retire(self)
        del self._order[bisect_right(self._order, bits) - 1]
        self._lengths[len(bits) - 1] -= 1
        return 0

    def next_key(self, key: bytes | None) -> bytes:
        """Return the prefix after this one; the first for one that is not there; ENOENT after the last."""
        bits = self._bits(key) if key is not None else None
        place = bisect_right(self._order, bits) if bits in self._elements else 0
        if place == len(self._order):
            raise Refusal(Errno.ENOENT)
        return self._elements[self._order[place]].key

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return a copy of the value of the longest matching prefix; ENOENT."""
        del flags
        element = self._match(key)
        if element is None:
            raise Refusal(Errno.ENOENT)
        return record.without(self.fields, bytes(element.data))

    def free(self) -> None:
        """Take the values out of memory."""
        for element in self._elements.values():
            element.retire(self)
        super().free()

    def _bits(self, key: bytes) -> str | None:
        """Return the prefix as text; None when it is longer than the key."""
        length = int.from_bytes(key[:LENGTH_SIZE], self.byteorder)
        if length > self.max_prefix:
            return None
        return f"{int.from_bytes(key[LENGTH_SIZE:], 'big'):0{self.max_prefix}b}"[:length] + END

    def _match(self, key: bytes) -> Element | None:
        bits = self._bits(key)
        if bits is None:
            return None
        lengths = sorted(
            (length for length, count in self._lengths.items() if count and length < len(bits)), reverse=True
        )
        return next(
            (self._elements[each] for length in lengths if (each := bits[:length] + END) in self._elements), None
        )

    def _insert(self, bits: str, key: bytes, value: bytes, flags: int) -> int:
        if flags == EXIST:
            return -Errno.ENOENT
        if len(self._elements) >= self.max_entries:
            return -Errno.ENOSPC
        self._elements[bits] = self._element(key, value)
        insort(self._order, bits)
        self._lengths[len(bits) - 1] += 1
        return 0

    def _element(self, key: bytes, value: bytes) -> Element:
        element = Element(key, bytearray(self.value_size))
        record.store(self.fields, element.data, value)
        return element


TYPES = {MapType.LPM_TRIE: LpmTrieMap}
