"""Objects of the simulated kernel laid out by BTF: `world.struct("task_struct", pid=7, comm="curl")`.

Their bytes have an address that programs follow. Bytes that the test did not give read as zeros, and are told of.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bpflab.arguments import near_names
from bpflab.errors import ArgumentError, UnsetFieldWarning
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import field, fields, resolve, resolved, size_of
from bpflab.sim.events import UnsetRead
from bpflab.sim.memory import OFFSET_MASK, RegionKind

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.obj.btf_layout import Field
    from bpflab.sim.region import Region
    from bpflab.sim.world import World


class KernelStruct:
    """A struct or union at an address; its fields are attributes, which read and write its bytes.

    Values are integers; texts or bytes for arrays of characters; sequences for other arrays; mappings for structs
    within it; and for pointers another KernelStruct, an address, None, or bytes that are then laid out beside it.
    `strict` makes a read of a field that was not given a fault instead of a warning.
    """

    _btf: Btf
    _kept: list[Any]
    _offset: int
    _region: Region
    _type_id: int
    _world: World
    __slots__ = ("_btf", "_kept", "_offset", "_region", "_type_id", "_world")

    def __init__(self, world: World, btf: Btf, type_id: int, *, strict: bool = False, name: str = "") -> None:
        data = bytearray(size_of(btf, type_id))
        region = world.memory.add(RegionKind.KERNEL_OBJECT, data, name=name or btf.name(type_id), owner=self)
        region.unwritten = (1 << len(data)) - 1
        region.forgiving = None if strict else self._tell
        _assign(self, _world=world, _btf=btf, _type_id=type_id, _region=region, _offset=0, _kept=[])

    @property
    def address(self) -> int:
        """Where it begins."""
        return self._region.address + self._offset

    @property
    def btf_id(self) -> int:
        """Its type in the kernel's BTF."""
        return self._type_id

    def __int__(self) -> int:
        return self.address

    __index__ = __int__

    def fill(self, values: Mapping[str, Any]) -> None:
        """Set fields by name; `a.b` names a field of a struct within it."""
        for name, value in values.items():
            self._set(self._field(name), value)

    def forgive(self) -> None:
        """Count all bytes as given, zeros where nothing was."""
        self._region.unwritten = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the field's own type
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._field(name)
        return self._get(found)

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - as above
        self._set(self._field(name), value)

    def __repr__(self) -> str:
        return f"<struct {self._btf.name(self._type_id)} at {self.address:#x}>"

    def _field(self, path: str) -> Field:
        names = [each.name for each in fields(self._btf, self._type_id)]
        first = path.partition(".")[0]
        if first not in names:
            name = self._btf.name(self._type_id)
            raise ArgumentError(f"struct {name} has no field {first!r}{near_names(first, names)}")
        return field(self._btf, self._type_id, path)

    def _get(self, found: Field) -> Any:  # noqa: ANN401 - the field's own type
        place, kind = self._offset + found.offset, resolved(self._btf, found.type_id)
        if found.bitfield:
            return self._bits(found)
        raw = bytes(self._region.data[place : place + found.bit_size // 8])
        match kind:
            case t.Composite():
                return self._part(found.type_id, place)
            case t.Array() if self._is_text(kind):
                return raw.partition(b"\0")[0].decode(errors="replace")
            case t.Array():
                return self._elements(kind, place)
            case t.Int(signed=signed):
                return int.from_bytes(raw, self._btf.byteorder, signed=signed)
            case _:
                return int.from_bytes(raw, self._btf.byteorder)

    def _part(self, type_id: int, place: int) -> KernelStruct:
        part = object.__new__(KernelStruct)
        target = resolve(self._btf, type_id)
        _assign(
            part,
            _world=self._world,
            _btf=self._btf,
            _type_id=target,
            _region=self._region,
            _offset=place,
            _kept=self._kept,
        )
        return part

    def _elements(self, kind: t.Array, place: int) -> list[Any]:
        from bpflab.obj.btf_layout import Field

        size = size_of(self._btf, kind.type_id)
        starts = (8 * (place - self._offset + index * size) for index in range(kind.length))
        return [self._get(Field("", kind.type_id, start, 8 * size)) for start in starts]

    def _is_text(self, kind: t.Array) -> bool:
        element = resolved(self._btf, kind.type_id)
        return isinstance(element, t.Int) and element.size == 1

    def _bits(self, found: Field) -> int:
        whole, shift, _ = self._bit_place(found)
        return whole >> shift & ((1 << found.bit_size) - 1)

    def _bit_place(self, found: Field) -> tuple[int, int, slice]:
        """Return the bytes of a bitfield as a number, where its bits begin in it, and which bytes they are."""
        start = self._offset + found.bit_offset // 8
        stop = self._offset + -(-(found.bit_offset + found.bit_size) // 8)
        within, bits = found.bit_offset % 8, 8 * (stop - start)
        shift = within if self._btf.byteorder == "little" else bits - within - found.bit_size
        return int.from_bytes(self._region.data[start:stop], self._btf.byteorder), shift, slice(start, stop)

    def _set(self, found: Field, value: Any) -> None:  # noqa: ANN401 - the field's own type
        if found.bitfield:
            whole, shift, span = self._bit_place(found)
            mask = (1 << found.bit_size) - 1
            whole = whole & ~(mask << shift) | (int(value) & mask) << shift
            self._write(span.start, whole.to_bytes(span.stop - span.start, self._btf.byteorder))
            return
        place, kind = self._offset + found.offset, resolved(self._btf, found.type_id)
        if isinstance(value, Mapping):
            self._part(found.type_id, place).fill(value)
        elif isinstance(kind, t.Array) and not isinstance(value, (str, bytes)) and isinstance(value, Sequence):
            self._set_elements(found, kind, value)
        else:
            self._write(place, self._encoded(found, kind, value))

    def _set_elements(self, found: Field, kind: t.Array, values: Sequence[Any]) -> None:
        from bpflab.obj.btf_layout import Field

        size = size_of(self._btf, kind.type_id)
        if len(values) > kind.length:
            raise ArgumentError(f"{found.name}: {len(values)} elements were given; it has {kind.length}.")
        for index, value in enumerate(values):
            self._set(Field(found.name, kind.type_id, found.bit_offset + 8 * size * index, 8 * size), value)

    def _encoded(self, found: Field, kind: t.BtfType, value: Any) -> bytes:  # noqa: ANN401 - the field's own type
        size = found.bit_size // 8
        if isinstance(kind, t.Pointer):
            return self._address_of(value).to_bytes(8, self._btf.byteorder)[:size]
        if isinstance(value, str):
            value = value.encode() + b"\0"
        if isinstance(value, (bytes, bytearray)):
            if len(value) > size:
                raise ArgumentError(f"{found.name}: {len(value)} bytes were given; it has {size}.")
            return bytes(value).ljust(size, b"\0")
        if not isinstance(value, int) or isinstance(kind, t.Composite | t.Array):
            raise ArgumentError(f"{found.name}={value!r}; expected what fits {kind.kind.name.lower()} of {size} bytes.")
        return (value & ((1 << 8 * size) - 1)).to_bytes(size, self._btf.byteorder)

    def _address_of(self, value: Any) -> int:  # noqa: ANN401 - what a pointer may be given as
        if value is None:
            return 0
        if isinstance(value, (str, bytes)):
            value = self._world.kernel_memory(value.encode() + b"\0" if isinstance(value, str) else value)
        self._kept.append(value)
        return int(value)

    def _write(self, place: int, data: bytes) -> None:
        self._region.data[place : place + len(data)] = data
        self._region.unwritten &= ~(((1 << len(data)) - 1) << place)

    def _tell(self, offset: int, size: int) -> None:
        names = [each.name for each in fields(self._btf, self._type_id) if _covers(each, offset)]
        name = self._btf.name(self._type_id)
        what = names[0] if names else f"byte {offset}"
        self._world.record(UnsetRead("", name, what))
        warnings.warn(
            f"A program read {what} of struct {name} ({size} bytes at {offset & OFFSET_MASK}), which the test did not "
            f"give: it is 0. Give it: world.struct({name!r}, {what}=...).",
            UnsetFieldWarning,
            stacklevel=2,
        )


def _assign(made: KernelStruct, **slots: Any) -> None:  # noqa: ANN401 - the types of the slots
    """Set the slots past `__setattr__`, which is for the fields of the struct."""
    for name, value in slots.items():
        object.__setattr__(made, name, value)


def _covers(each: Field, offset: int) -> bool:
    return each.bit_offset <= 8 * offset < each.bit_offset + max(each.bit_size, 8)
