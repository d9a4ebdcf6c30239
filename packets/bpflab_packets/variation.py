"""Chosen fields of a template varied all at once by drawn bytes: the cheap path under the hypothesis strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab_packets.template import grown_length

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpflab_packets.layout import Place
    from bpflab_packets.template import Links, Template


@dataclass(frozen=True, slots=True)
class Region:
    """Adjoining bytes of a packet that vary: their place, what they hold, and the drawn bytes they take."""

    start: int
    stop: int
    old: int
    mask: int
    drawn: slice
    links: Links


@dataclass(frozen=True, slots=True)
class Growth:
    """What another payload changes: the length fields, and the sum of each checksum, per byte grown and at all."""

    lengths: tuple[Place, ...]
    per_byte: tuple[int, ...]
    without_old: tuple[int, ...]
    links: tuple[Links, Links]
    """Which checksums count a payload of even and of odd size."""

    @classmethod
    def of(cls, template: Template) -> Growth:
        """Work out what every payload of a template has in common."""
        at, old, count = template.payload_at, template.payload, len(template.checksums)
        lengths = template.lengths()
        per_byte = [_factor(template, index, lengths) for index in range(count)]
        gone = dict(template.links(at, at + len(old)))
        without_old = [-gone.get(index, 0) * int.from_bytes(old) for index in range(count)]
        return cls(
            lengths, tuple(per_byte), tuple(without_old), (template.links(at, at + 2), template.links(at, at + 1))
        )


@dataclass(frozen=True, slots=True)
class Variation:
    """A template with the fields that vary. `size` is how many bytes `apply` takes for them."""

    template: Template
    regions: tuple[Region, ...]
    size: int
    growth: Growth | None

    @classmethod
    def of(cls, template: Template, names: Iterable[str], *, payload: bool = False) -> Variation:
        """Vary the named fields, and the payload; TemplateError for what the packet has not."""
        masks = bytearray(len(template.data))
        for place in {template.place(name) for name in names}:
            _mark(masks, place)
        regions, size = list[Region](), 0
        for start, stop in _runs(masks, template):
            taken = slice(size, size + stop - start)
            old, mask = int.from_bytes(template.data[start:stop]), int.from_bytes(masks[start:stop])
            regions.append(Region(start, stop, old, mask, taken, template.links(start, stop)))
            size = taken.stop
        return cls(template, tuple(regions), size, Growth.of(template) if payload else None)

    def apply(self, drawn: bytes) -> bytes:
        """Return the packet, each varied bit flipped where the drawn bytes have a one; what exceeds `size` is payload.

        Zeros leave the fields as the template has them, which is where hypothesis shrinks to.
        """
        template = self.template
        data, sums = bytearray(template.data), [0] * len(template.checksums)
        for region in self.regions:
            flipped = int.from_bytes(drawn[region.drawn]) & region.mask
            if flipped:
                new = region.old ^ flipped
                data[region.start : region.stop] = new.to_bytes(region.stop - region.start)
                for index, factor in region.links:
                    sums[index] += (new - region.old) * factor
        if self.growth:
            self._grow(self.growth, data, drawn[self.size :], sums)
        return template.settle(data, sums)

    def _grow(self, growth: Growth, data: bytearray, payload: bytes, sums: list[int]) -> None:
        grown = len(payload) - (len(data) - self.template.payload_at)
        if grown:
            for place in growth.lengths:
                length = grown_length(place, self.template.data, grown)
                data[place.start : place.stop] = length.to_bytes(2)
        for index, per_byte in enumerate(growth.per_byte):
            sums[index] += grown * per_byte + growth.without_old[index]
        if not payload:
            del data[self.template.payload_at :]
            return
        content = int.from_bytes(payload)
        for index, factor in growth.links[len(payload) % 2]:
            sums[index] += content * factor
        data[self.template.payload_at :] = payload


def _factor(template: Template, index: int, lengths: tuple[Place, ...]) -> int:
    """Return by how much the sum of a checksum grows with each byte of payload."""
    counted = sum(dict(template.links(place.start, place.stop)).get(index, 0) for place in lengths)
    return counted + template.checksums[index].pseudo


def _mark(masks: bytearray, place: Place) -> None:
    bits = (place.mask << place.shift).to_bytes(place.stop - place.start)
    for offset, byte in enumerate(bits, place.start):
        masks[offset] |= byte


def _runs(masks: bytearray, template: Template) -> Iterator[tuple[int, int]]:
    """Yield the runs of bytes that vary, as (start, stop); each is covered by a checksum wholly or not at all."""
    edges = {edge for checksum in template.checksums for bounds in checksum.ranges for edge in bounds}
    start = 0
    for stop in range(1, len(masks) + 1):
        if stop == len(masks) or stop in edges or bool(masks[stop]) != bool(masks[start]):
            if masks[start]:
                yield start, stop
            start = stop
