"""Where the layers, fields, checksums and lengths of a scapy packet lie in its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bpflab_packets.checksum import Checksum, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESSES: Final = {"IP": (12, 20), "IPv6": (8, 40)}
"""Where the addresses lie that a pseudo-header repeats (RFC 9293, RFC 8200 section 8.1)."""
LENGTHS: Final = {"IP": "len", "IPv6": "plen", "UDP": "len"}
"""The fields that count the bytes after them."""
PSEUDO: Final = {"TCP": Kind.INTERNET, "UDP": Kind.UDP}
"""Layers whose checksum covers a pseudo-header; those of ICMPv6 are known by the name of their field."""
NO_PAYLOAD: Final = ("SCTP", "ARP")
"""Layers after which a payload is not simply bytes."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One header of a packet: its scapy name (`IP`, the second one `IP:2`), and the bytes start to stop."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field lies: in bytes start to stop, `shift` bits above the lowest, `mask` wide."""

    start: int
    stop: int
    shift: int
    mask: int

    def read(self, data: bytes | bytearray) -> int:
        """Return the number in the field."""
        return int.from_bytes(data[self.start : self.stop]) >> self.shift & self.mask

    def write(self, data: bytearray, value: int) -> int:
        """Put a number into the field; return by how much the bytes, read as one number, grew."""
        old = int.from_bytes(data[self.start : self.stop])
        new = old & ~(self.mask << self.shift) | value << self.shift
        data[self.start : self.stop] = new.to_bytes(self.stop - self.start)
        return new - old


def layers_of(packet: Any) -> Iterator[tuple[Layer, Any]]:  # noqa: ANN401 - scapy has no types
    """Yield each layer with the scapy layer it stands for; of an options-only tail nothing is lost."""
    total, seen = len(bytes(packet)), dict[str, int]()
    while packet.name != "NoPayload":
        name = type(packet).__name__
        seen[name] = seen.get(name, 0) + 1
        start, stop = total - len(bytes(packet)), total - len(bytes(packet.payload))
        yield Layer(name if seen[name] == 1 else f"{name}:{seen[name]}", start, stop), packet
        packet = packet.payload


def fields_of(layer: Layer, packet: Any, data: bytes) -> Iterator[tuple[str, Place]]:  # noqa: ANN401 - as above
    """Yield the fields of a layer that have bytes of their own, by name."""
    header = data[layer.start : layer.stop]
    parsed = type(packet)(header)
    rest: Any = header
    for field in parsed.fields_desc:
        first = _position(rest, len(header))
        rest, _ = field.getfield(parsed, rest)
        width = _position(rest, len(header)) - first
        if width > 0 and not str(getattr(field, "fmt", "")).startswith("<"):
            yield field.name, _place(layer.start * 8 + first, width)


def _position(rest: Any, size: int) -> int:  # noqa: ANN401 - bytes, or bytes and the bits taken of the first
    left, bits = rest if isinstance(rest, tuple) else (rest, 0)
    return (size - len(left)) * 8 + int(bits)


def _place(first: int, width: int) -> Place:
    stop = (first + width + 7) // 8
    return Place(first // 8, stop, stop * 8 - first - width, (1 << width) - 1)


def checksums_of(layers: list[tuple[Layer, Any]], places: dict[str, Place], data: bytes) -> list[Checksum]:
    """Return the checksums of a packet, the innermost first. A UDP checksum of zero is none."""
    found: list[Checksum] = []
    addresses = (0, 0)
    for layer, _ in layers:
        kind = layer.name.partition(":")[0]
        if kind in ADDRESSES:
            first, last = ADDRESSES[kind]
            addresses = (layer.start + first, layer.start + last)
        place = places.get(f"{layer.name}.chksum") or places.get(f"{layer.name}.cksum")
        if place and (place.read(data) or kind != "UDP"):
            found.append(_checksum(kind, layer, place.start, addresses))
    return found[::-1]


def _checksum(kind: str, layer: Layer, at: int, addresses: tuple[int, int]) -> Checksum:
    if kind == "IP":
        return Checksum(at, ((layer.start, layer.stop),))
    rest = (layer.start, None)
    if kind == "SCTP":
        return Checksum(at, (rest,), Kind.CRC32C)
    if kind in PSEUDO or kind.startswith("ICMPv6"):
        return Checksum(at, (rest, addresses), PSEUDO.get(kind, Kind.INTERNET), pseudo=True)
    return Checksum(at, (rest,))
