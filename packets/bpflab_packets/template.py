"""A packet built once and varied by patching its bytes; checksums follow incrementally (RFC 1624)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bpflab_packets.checksum import Checksum, Kind, crc32c, updated
from bpflab_packets.layout import LENGTHS, NO_PAYLOAD, Layer, Place, checksums_of, fields_of, layers_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Value: TypeAlias = int | bytes | str
"""What a field is set to: a number, its bytes, or an address as text (IPv4, IPv6, `02:00:00:00:00:01`)."""
Links: TypeAlias = tuple[tuple[int, int], ...]
"""(number of a checksum, what a change counts in its sum) for each checksum that covers some bytes."""

SIX_BYTES: Final = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
"""A hardware address; `::1:8cd0:5c3:1000` has as many colons and characters, and is none."""


class TemplateError(ValueError):
    """A template has no such field, or the value does not fit; the text says which there are, or how wide it is."""


@dataclass(frozen=True, slots=True)
class Template:
    """A packet and where everything in it lies. It never changes; `patch` returns new bytes.

    `data` is the packet itself, `layers` its headers from the outermost on, `fields` every field as `IP.ttl`, the
    second header of a kind as `IP:2.ttl`; `payload_at` is the offset of what follows the last header; `covering` says
    which checksums count the field of each checksum.
    """

    data: bytes
    layers: tuple[Layer, ...]
    fields: Mapping[str, Place] = field(repr=False)
    checksums: tuple[Checksum, ...] = field(repr=False)
    payload_at: int
    covering: tuple[Links, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, packet: Any) -> Template:  # noqa: ANN401 - scapy has no types
        """Build a scapy packet, once; everything else is done in bytes."""
        data, layers = bytes(packet), list(layers_of(packet))
        places = {
            f"{layer.name}.{name}": place for layer, found in layers for name, place in fields_of(layer, found, data)
        }
        sums = tuple(checksums_of(layers, places, data))
        covering = tuple(_links(sums, checksum.at, checksum.stop) for checksum in sums)
        at = _payload_at(layers, places, data)
        return cls(data, tuple(layer for layer, _ in layers), places, sums, at, covering)

    def __bytes__(self) -> bytes:
        return self.data

    @property
    def payload(self) -> bytes:
        """What follows the last header."""
        return self.data[self.payload_at :]

    def place(self, name: str) -> Place:
        """Return where a field lies: `IP.ttl`, or `ttl` when one header alone has it. Else TemplateError."""
        if name in self.fields:
            return self.fields[name]
        found = [full for full in self.fields if full.partition(".")[2] == name]
        if len(found) == 1:
            return self.fields[found[0]]
        known = ", ".join(found or self.fields)
        reason = "is in more than one header" if found else "is no field of this packet"
        raise TemplateError(f"{name} {reason}; expected one of: {known}.")

    def patch(
        self, changes: Mapping[str, Value] | None = None, /, *, payload: bytes | None = None, **fields: Value
    ) -> bytes:
        """Return the packet with fields set, and with another payload when one is given.

        Checksums follow, and with a payload the lengths of IPv4, IPv6 and UDP. A checksum or length that is itself
        given stays as given; a length that is given alone changes no pseudo-header. TemplateError for a field that
        is not there, a value that does not fit its field, and a payload too long for a length field.
        """
        wanted = {self.place(name): value for name, value in {**(changes or {}), **fields}.items()}
        data, sums = bytearray(self.data), [0] * len(self.checksums)
        if payload is not None:
            self._replace_payload(data, payload, sums)
        fixed = set[int]()
        for place, value in wanted.items():
            fixed.add(place.start)
            self._count(place, place.write(data, number(value, place)), sums)
        return self.settle(data, sums, fixed)

    def fixed(
        self, changes: Mapping[str, Value] | None = None, /, *, payload: bytes | None = None, **fields: Value
    ) -> Template:
        """Return a template of the patched packet; arguments and errors as of `patch`."""
        return self.over(self.patch(changes, payload=payload, **fields))

    def over(self, data: bytes) -> Template:
        """Return the same layout over other bytes, which must have the same headers; the payload may differ in size."""
        grown = len(data) - len(self.data)
        layers = tuple(
            replace(layer, stop=layer.stop + grown) if layer.stop == len(self.data) else layer for layer in self.layers
        )
        # A last field that holds the payload as bytes ends elsewhere now; it is reached as the payload.
        fields = {name: place for name, place in self.fields.items() if place.stop <= self.payload_at}
        return replace(
            self, data=data, layers=layers if grown else self.layers, fields=fields if grown else self.fields
        )

    def links(self, start: int, stop: int) -> Links:
        """Return which checksums count the bytes start to stop, and with which factor."""
        return _links(self.checksums, start, stop)

    def settle(self, data: bytearray, sums: list[int], fixed: Collection[int] = ()) -> bytes:
        """Bring the checksums of patched data up to date: innermost first, as outer ones may cover inner ones.

        `sums` holds by how much the sum of each checksum changed; the fields at the offsets `fixed` stay.
        """
        for index, checksum in enumerate(self.checksums):
            at, stop, kind = checksum.at, checksum.stop, checksum.kind
            if at in fixed or not (sums[index] or kind is Kind.CRC32C):
                continue
            old = int.from_bytes(data[at:stop])
            new = _crc(data, checksum) if kind is Kind.CRC32C else updated(old, sums[index], kind)
            data[at:stop] = new.to_bytes(stop - at)
            for outer, factor in self.covering[index]:
                sums[outer] += (new - old) * factor
        return bytes(data)

    def lengths(self) -> tuple[Place, ...]:
        """Return the length fields that count the payload; TemplateError when no payload can follow the last header."""
        if self.layers[-1].name.startswith(NO_PAYLOAD):
            raise TemplateError(f"A packet that ends with {self.layers[-1].name} takes no payload; patch its fields.")
        kinds = ((layer.name, LENGTHS.get(layer.name.partition(":")[0])) for layer in self.layers)
        return tuple(self.fields[f"{name}.{kind}"] for name, kind in kinds if kind)

    def _count(self, place: Place, difference: int, sums: list[int]) -> None:
        for index, factor in self.links(place.start, place.stop):
            sums[index] += difference * factor

    def _replace_payload(self, data: bytearray, payload: bytes, sums: list[int]) -> None:
        at, grown = self.payload_at, len(payload) - len(self.payload)
        for content, sign in ((self.payload, -1), (payload, 1)):
            for index, factor in self.links(at, at + len(content)):
                sums[index] += sign * factor * int.from_bytes(content)
        data[at:] = payload
        for place in self.lengths():
            self._count(place, place.write(data, grown_length(place, self.data, grown)), sums)
        for index, checksum in enumerate(self.checksums):
            sums[index] += grown if checksum.pseudo else 0


def number(value: Value, place: Place) -> int:
    """Return a value as the number of a field; TemplateError when it does not fit."""
    given = _address(value) if isinstance(value, str) else value
    bits = place.mask.bit_length()
    if isinstance(given, bytes):
        if len(given) * 8 != bits:
            raise TemplateError(f"Given are {len(given)} bytes; expected {bits / 8:g} bytes, the width of the field.")
        return int.from_bytes(given)
    if not 0 <= given <= place.mask:
        raise TemplateError(f"{given} does not fit a field of {bits} bits; expected 0 to {place.mask}.")
    return given


@lru_cache(maxsize=4096)
def _links(checksums: tuple[Checksum, ...], start: int, stop: int) -> Links:
    # Kept, as the same few places are patched in packet after packet. A checksum's own field counts as zero in its sum.
    factors = (
        (index, 0 if checksum.at <= start < checksum.stop else checksum.factor(start, stop))
        for index, checksum in enumerate(checksums)
    )
    return tuple((index, factor) for index, factor in factors if factor)


def _payload_at(layers: list[tuple[Layer, Any]], places: Mapping[str, Place], data: bytes) -> int:
    # scapy keeps the rest of a packet as a Raw layer, or, for ICMPv6, as a field of the last header.
    last = layers[-1][0].name
    rest = places.get(f"{last}.load") or places.get(f"{last}.data")
    return rest.start if rest and rest.stop == len(data) else len(data)


def _address(text: str) -> bytes:
    try:
        return bytes.fromhex(text.replace(":", "")) if SIX_BYTES.fullmatch(text) else _ip(text)
    except ValueError as error:
        raise TemplateError(
            f"{text!r} is no address; expected IPv4, IPv6 or six bytes as 02:00:00:00:00:01."
        ) from error


def _ip(text: str) -> bytes:
    return ip_address(text).packed


def grown_length(place: Place, data: bytes, grown: int) -> int:
    """Return what a length field says after the payload has grown; TemplateError when it cannot say that."""
    length = place.read(data) + grown
    if not 0 <= length <= place.mask:
        raise TemplateError(f"The payload makes a length of {length}; expected at most {place.mask}.")
    return length


def _crc(data: bytearray, checksum: Checksum) -> int:
    start = checksum.ranges[0][0]
    cleared = data[start : checksum.at] + bytes(4) + data[checksum.stop :]
    return int.from_bytes(crc32c(cleared).to_bytes(4, "little"))
