"""Maps in words: which entry an address belongs to, and keys and values as their types read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.map_rules import RULES
from bpflab.errors import BtfError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolve
from bpflab.sim.maps.base import SimMap
from bpflab.sim.maps.hash import KeyedMap
from bpflab.sim.memory import OFFSET_MASK
from bpflab.sim.refusal import Refusal
from bpflab.trace.layout import member_path, typed_text

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.sim.memory import Region


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes within a map's entry: the entry as C writes it, and the BTF type of the bytes (0 for none)."""

    map: SimMap
    text: str
    type_id: int


class MapWords:
    """What is known of the maps of one run. `found` tells it which entries lookups gave."""

    def __init__(self) -> None:
        self._keys: dict[int, bytes] = {}

    def found(self, target: SimMap, key: bytes, address: int) -> None:
        """Note that a lookup of a key gave this address."""
        del target
        self._keys[address & ~OFFSET_MASK] = key

    def key_text(self, target: SimMap, key: bytes) -> str:
        """Write a key."""
        return typed_text(types_of(target), target.spec.btf_key_type_id, key, target.byteorder)

    def value_text(self, target: SimMap, value: bytes) -> str:
        """Write a whole value."""
        return typed_text(types_of(target), target.spec.btf_value_type_id, value, target.byteorder)

    def entry(self, target: SimMap, key: bytes | None) -> str:
        """Write an entry, such as `blocked_ports[23]`; of a per-CPU map with the CPU."""
        shown = "?" if key is None else self.key_text(target, key)
        per_cpu = target.type in RULES and RULES[target.type].per_cpu
        return f"{target.name}[{shown}]" + (f" (CPU {target.kernel.cpu})" if per_cpu else "")

    def place(self, region: Region, address: int, size: int) -> Place | None:
        """Name `size` bytes at an address in a map's value."""
        target = region.owner
        if not isinstance(target, SimMap):
            return None
        offset, btf = address & OFFSET_MASK, types_of(target)
        if btf is None or not target.spec.btf_value_type_id:
            return Place(target, self._entry_at(region, target) + _rest(target, offset, size), 0)
        try:
            return self._typed(btf, region, target, offset, size)
        except BtfError:
            return Place(target, self._entry_at(region, target) + _rest(target, offset, size), 0)

    def _typed(self, btf: Btf, region: Region, target: SimMap, offset: int, size: int) -> Place:
        value_id = target.spec.btf_value_type_id
        section = btf[resolve(btf, value_id)]
        if isinstance(section, t.Datasec):
            return _variable(btf, section, target, offset, size)
        path, type_id = member_path(btf, value_id, offset, size)
        entry = self._entry_at(region, target)
        whole = not path and (offset or size != target.value_size)
        entry, _, cpu = entry.partition(" (CPU")
        cpu = f" (CPU{cpu}" if cpu else ""
        return Place(target, entry + (_rest(target, offset, size) if whole else path) + cpu, 0 if whole else type_id)

    def _entry_at(self, region: Region, target: SimMap) -> str:
        key = self._keys.get(region.address)
        if key is None and target.max_entries == 1 and target.key_size == 4:
            key = bytes(4)
        return self.entry(target, key)


def peek(target: SimMap, key: bytes) -> bytes | None:
    """Return the value that programs find under a key now, without touching the order of an LRU map; None for none.

    For maps whose keys are not looked up exactly (a trie), and those without keys, that is None, too.
    """
    if isinstance(target, KeyedMap):
        element = target.table.get(key)
        return None if element is None else bytes(getattr(element, "data", b""))
    if target.type not in RULES or not target.key_size or "TRIE" in target.type.name:
        return None
    try:
        address = target.lookup(key)
    except Refusal:
        return None
    region = target.kernel.memory.find(address) if address else None
    return bytes(region.data[: target.value_size]) if region and region.owner is target and region.data else None


def types_of(target: SimMap) -> Btf | None:
    """Return the BTF that a map was made with."""
    return None if target.btf is None else target.btf.types


def _variable(btf: Btf, section: t.Datasec, target: SimMap, offset: int, size: int) -> Place:
    for each in section.variables:
        if each.offset <= offset and offset + size <= each.offset + max(each.size, 1):
            variable = btf.get(each.type_id, t.Var)
            path, type_id = member_path(btf, variable.type_id, offset - each.offset, size)
            whole = size == each.size or path
            rest = "" if whole else f"+{offset - each.offset}"
            return Place(target, f"{variable.name}{path}{rest}", type_id if whole else 0)
    return Place(target, f"{target.name}+{offset}", 0)


def _rest(target: SimMap, offset: int, size: int) -> str:
    return "" if not offset and size == target.value_size else f"+{offset}"
