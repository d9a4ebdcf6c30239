"""What MAP_CREATE asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.abi.map_types import MapType
    from bpflab.obj.special_fields import SpecialField


@dataclass(frozen=True, slots=True)
class MapSpec:
    """A map as it was asked for; sizes in bytes, `extra` is `map_extra`, `name` without its zero bytes."""

    type: MapType
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    extra: int = 0
    name: str = ""
    numa_node: int = 0
    ifindex: int = 0
    btf_key_type_id: int = 0
    btf_value_type_id: int = 0
    btf_vmlinux_value_type_id: int = 0

    @property
    def stride(self) -> int:
        """The value's size rounded up to 8 bytes: what a value takes in a per-CPU copy or an array."""
        return -(-self.value_size // 8) * 8


@dataclass(frozen=True, slots=True)
class MapTraits:
    """What an inner map shares with the template that it stands in for."""

    type: MapType
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    fields: tuple[SpecialField, ...] = ()
