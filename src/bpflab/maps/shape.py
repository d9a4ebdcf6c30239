"""What is known of a live map: its type, sizes and flags, and how its keys and values are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.map_rules import RULES, MapOp, MapRule
from bpflab.maps.codecs.percpu import PerCpuCodec
from bpflab.maps.codecs.plain import BytesCodec

if TYPE_CHECKING:
    from bpflab.abi.flags import MapFlag
    from bpflab.abi.map_types import MapType
    from bpflab.maps.codecs.base import BaseCodec

NOTHING: Final = BytesCodec(0)
"""The codec of a key or value that a type of map does not have."""


@dataclass(frozen=True, slots=True)
class MapShape:
    """A map's type and sizes, as the kernel keeps them, and the codecs of its keys and values.

    `key_size` and `value_size` are in bytes, `value_size` of one element in a per-CPU map, whose `value`
    codec covers all CPUs. `name` is empty for an unnamed map.
    """

    type: MapType
    name: str
    key_size: int
    value_size: int
    max_entries: int
    flags: MapFlag
    key: BaseCodec[Any] = NOTHING
    value: BaseCodec[Any] = NOTHING
    map_extra: int = 0

    @property
    def rule(self) -> MapRule:
        """What the kernel wants of the type, and offers."""
        return RULES[self.type]

    @property
    def element(self) -> BaseCodec[Any]:
        """The codec of one value: in a per-CPU map, of one CPU's."""
        return self.value.element if isinstance(self.value, PerCpuCodec) else self.value

    @property
    def label(self) -> str:
        """What errors call the map, such as `HASH map 'flows'`."""
        return f"{self.type.name} map {self.name!r}" if self.name else f"unnamed {self.type.name} map"

    def offers(self, op: MapOp) -> bool:
        """Whether the system call has this operation for the type."""
        return op in self.rule.ops
