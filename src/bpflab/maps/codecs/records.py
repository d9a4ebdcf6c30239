"""Structs and unions as records: bytes with named fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpflab.arguments import near_names
from bpflab.errors import CodecError
from bpflab.maps.codecs.base import BaseCodec, Readable

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder


@dataclass(frozen=True, slots=True)
class RecordField:
    """A field: where its bits lie, counted as BTF does, and its codec. `bitfield` says that they are no whole bytes."""

    name: str
    bit_offset: int
    bit_size: int
    codec: BaseCodec[Any]
    bitfield: bool = False

    @property
    def start(self) -> int:
        """The byte in which the field starts."""
        return self.bit_offset // 8

    @property
    def stop(self) -> int:
        """The byte behind its last."""
        return -(-(self.bit_offset + self.bit_size) // 8)

    def overlaps(self, other: RecordField) -> bool:
        """Whether two fields share bits, as members of a union do."""
        return (
            self.bit_offset < other.bit_offset + other.bit_size and other.bit_offset < self.bit_offset + self.bit_size
        )


class Record:
    """A value of a struct or union: fields by attribute or by name, as `flow.packets` or `flow["packets"]`.

    It does not change; `replace(packets=0)` makes another. Records of the same fields with equal values are equal, and
    a record equals a mapping of all its fields. A nested struct is a record again.
    """

    __slots__ = ("_codec", "_raw")

    def __init__(self, codec: RecordCodec, raw: bytes) -> None:
        self._codec = codec
        self._raw = raw

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the field's own type
        if name.startswith("__") and name not in self._codec.fields:
            raise AttributeError(name)
        try:
            return self[name]
        except CodecError as error:
            raise AttributeError(str(error)) from None

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - the field's own type
        return self._codec.read(self._raw, self._codec.field(name))

    def __bytes__(self) -> bytes:
        return self._raw

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_tuple())

    def __len__(self) -> int:
        return len(self._codec.fields)

    def keys(self) -> Sequence[str]:
        """Return the names of the fields, so that `dict(record)` works."""
        return tuple(self._codec.fields)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, nested records as dicts too."""
        return {name: _plain(self[name]) for name in self.keys()}

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the fields' values in order."""
        return tuple(self[name] for name in self.keys())

    def replace(self, **changes: object) -> Record:
        """Return another record with some fields changed; CodecError for a name or value that does not fit."""
        return Record(self._codec, self._codec.written(self._raw, changes))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Record):
            return self.keys() == other.keys() and self.to_tuple() == other.to_tuple()
        if isinstance(other, Mapping):
            return len(other) == len(self) and all(name in other and self[name] == other[name] for name in self.keys())
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.to_tuple())

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.keys()]

    def __repr__(self) -> str:
        return f"{self._codec.name}({', '.join(f'{name}={self[name]!r}' for name in self.keys())})"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field's value
    if isinstance(value, Record):
        return value.to_dict()
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


class RecordCodec(BaseCodec[Any]):
    """A struct or union of `size` bytes.

    Takes a Record, a mapping of field names, a sequence of all fields in order, or the very bytes. Fields that a
    mapping leaves out are zero, as in a C initialiser. Of fields that share bytes (in a union) one may be given.
    """

    def __init__(self, name: str, size: int, fields: Sequence[RecordField], byteorder: ByteOrder) -> None:
        self.name = name
        self.size = size
        self.fields = {field.name: field for field in fields}
        self.byteorder: ByteOrder = byteorder
        self.wanted = f"a record, or a mapping of its fields {', '.join(self.fields)}"

    def field(self, name: str) -> RecordField:
        """Return a field by name; CodecError with the near names, or all, when there is none."""
        try:
            return self.fields[name]
        except (KeyError, TypeError):
            raise CodecError(f"{self.name} has no field {name!r}{near_names(str(name), self.fields)}") from None

    def pack(self, value: Any, /) -> bytes:  # noqa: ANN401 - a record in one of several forms
        """Return the record's bytes; padding is zero where it is made of fields."""
        if isinstance(value, Record):
            return bytes(value) if value._codec is self else self._from_fields(dict(value))
        if isinstance(value, Mapping):
            return self._from_fields(dict(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(self.exact(bytes(value)))
        if isinstance(value, Sequence) and not isinstance(value, str):
            return self._from_sequence(value)
        raise self.refusal(value)

    def unpack(self, data: Readable, /) -> Record:
        """Return the record; fields are decoded when they are looked at."""
        return Record(self, bytes(self.exact(data)))

    def read(self, raw: bytes, field: RecordField) -> Any:  # noqa: ANN401 - the field's own type
        """Decode one field of a record's bytes."""
        piece = raw[field.start : field.stop]
        if not field.bitfield:
            return field.codec.unpack(piece)
        bits = int.from_bytes(piece, self.byteorder) >> self._shift(field) & ((1 << field.bit_size) - 1)
        return field.codec.unpack(_widened(bits, field, self.byteorder))

    def written(self, raw: bytes, changes: Mapping[str, Any]) -> bytes:
        """Return a record's bytes with some fields written over."""
        buffer = bytearray(raw)
        for name, value in changes.items():
            field = self.field(name)
            try:
                self._write(buffer, field, value)
            except CodecError as error:
                raise CodecError(f"{self.name}.{name}: {error}") from None
        return bytes(buffer)

    def _from_fields(self, given: dict[str, Any]) -> bytes:
        chosen = sorted((self.field(name) for name in given), key=lambda field: field.bit_offset)
        for index, field in enumerate(chosen):
            shared = next((other for other in chosen[index + 1 :] if field.overlaps(other)), None)
            if shared is not None:
                raise CodecError(f"{self.name}: {field.name} and {shared.name} share bytes; give one of them.")
        return self.written(bytes(self.size), given)

    def _from_sequence(self, values: Sequence[Any]) -> bytes:
        if len(values) != len(self.fields):
            names = ", ".join(self.fields)
            raise CodecError(f"{self.name} has {len(self.fields)} fields ({names}); {len(values)} values were given.")
        return self._from_fields(dict(zip(self.fields, values, strict=True)))

    def _write(self, buffer: bytearray, field: RecordField, value: Any) -> None:  # noqa: ANN401 - the field's own type
        if not field.bitfield:
            buffer[field.start : field.stop] = packed(field.codec, value)
            return
        bits = _narrowed(packed(field.codec, value), value, field, self.byteorder)
        piece = int.from_bytes(buffer[field.start : field.stop], self.byteorder)
        mask = ((1 << field.bit_size) - 1) << self._shift(field)
        piece = piece & ~mask | bits << self._shift(field)
        buffer[field.start : field.stop] = piece.to_bytes(field.stop - field.start, self.byteorder)

    def _shift(self, field: RecordField) -> int:
        """Say by how many bits the field's lowest lies above the lowest of the bytes that it touches."""
        if self.byteorder == "little":
            return field.bit_offset - 8 * field.start
        return 8 * field.stop - (field.bit_offset + field.bit_size)


def packed(codec: BaseCodec[Any], value: Any) -> bytes:  # noqa: ANN401 - the codec's own type
    """Pack a value, with all that can go wrong as a CodecError."""
    try:
        return codec.pack(value)
    except (OverflowError, TypeError, AttributeError) as error:
        raise codec.refusal(value, error) from None


def _signed(field: RecordField) -> bool:
    return bool(getattr(field.codec, "signed", False))


def _widened(bits: int, field: RecordField, byteorder: ByteOrder) -> bytes:
    if _signed(field) and bits >> (field.bit_size - 1):
        bits -= 1 << field.bit_size
    return bits.to_bytes(field.codec.size, byteorder, signed=bits < 0)


def _narrowed(data: bytes, value: object, field: RecordField, byteorder: ByteOrder) -> int:
    number = int.from_bytes(data, byteorder, signed=_signed(field))
    low, high = 0, (1 << field.bit_size) - 1
    if _signed(field):
        low, high = -(1 << field.bit_size - 1), (1 << field.bit_size - 1) - 1
    if not low <= number <= high:
        raise CodecError(f"{value!r} does not fit a bitfield of {field.bit_size} bits, which holds {low} to {high}.")
    return number & ((1 << field.bit_size) - 1)
