"""Longest prefix match: keys are prefixes, a lookup finds the longest that covers what is asked for."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from bpflab.abi.map_rules import RULES
from bpflab.maps.batch import DeleteBatchMap
from bpflab.maps.batch_call import RawBatch, chunk_entries
from bpflab.maps.codecs.choose import make_prefix_codec
from bpflab.maps.walk import in_order, prefix_order
from bpflab.maps.walkable import chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.map_types import MapType
    from bpflab.maps.choice import Surroundings
    from bpflab.maps.codecs.base import BaseCodec

V = TypeVar("V")
NETWORK_SIZES = {8: "ipv4", 20: "ipv6"}


class LpmTrie(DeleteBatchMap[Any, V]):
    """LPM_TRIE: `m["10.1.2.3"]` is the value of the longest prefix that covers the address.

    A lookup takes a prefix too, and finds the longest that covers all of it. Updates and deletions mean exactly the
    prefix that they name. Keys come in the trie's order: what lies below a prefix stands before it. `key=` is `ipv4`,
    `ipv6`, or the size of the whole key in bytes for `Prefix(length, data)`.
    """

    @classmethod
    def key_codec(cls, kind: MapType, given: object, around: Surroundings) -> BaseCodec[Any]:
        """Make the codec of the keys."""
        given = cls._asked(kind, "key", given, cls.KEY, RULES[kind].key)
        return make_prefix_codec(given, byteorder=around.byteorder)

    @classmethod
    def key_hint(cls, size: int, typed: object) -> object:  # noqa: ARG003 - a struct of BTF would hide the prefix
        """Take keys of 8 and 20 bytes for networks, others for plain prefixes."""
        return NETWORK_SIZES.get(size, size)

    def _raw(self) -> Iterator[RawBatch]:
        entries = chain.from_iterable(map(self._split, super()._raw()))
        return chunks(in_order(entries, prefix_order(self.lab.backend.byteorder)), chunk_entries(self.shape))

    def _split(self, batch: RawBatch) -> Iterator[tuple[bytes, bytes]]:
        key_size, value_size = self.shape.key_size, self.shape.value.size
        for index in range(batch.count):
            key = bytes(batch.keys[index * key_size : (index + 1) * key_size])
            yield key, bytes(batch.values[index * value_size : (index + 1) * value_size])
