"""Chosen fields of a template varied all at once by drawn bytes: the cheap path under the hypothesis strategies.

The bytes from the first field that varies to the last are one number, so that a packet costs a handful of operations on
numbers, however many fields vary. Checksums follow by how much the number changed where they cover it (RFC 1624).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab_packets.checksum import ONES
from bpflab_packets.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpflab_packets.layout import Place
    from bpflab_packets.template import Links, Template


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of a packet from the first that varies to the last: where they are, what they hold, which bits vary.

    `covered` says for each checksum which of these bits it counts, and with which factor.
    """

    start: int
    stop: int
    old: int
    mask: int
    covered: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, template: Template, names: Iterable[str]) -> Span:
        """Find the bytes that the named fields fill; TemplateError for what the packet has not."""
        masks = bytearray(len(template.data))
        for place in {template.place(name) for name in names}:
            _mark(masks, place)
        start = len(masks) - len(masks.lstrip(b"\0"))
        stop = max(len(masks.rstrip(b"\0")), start)
        old, mask = int.from_bytes(template.data[start:stop]), int.from_bytes(masks[start:stop])
        return cls(start, stop, old, mask, _covered(template, start, stop))


@dataclass(frozen=True, slots=True)
class Growth:
    """What another payload changes: the length fields, and the sum of each checksum, per byte and at all.

    `lengths` are the offsets of the fields, each with what it says without payload; `most` is the largest payload.
    """

    lengths: tuple[tuple[int, int], ...]
    most: int
    per_byte: tuple[int, ...]
    at_all: tuple[int, ...]
    links: tuple[Links, Links]
    """Which checksums count a payload of even and of odd size."""

    @classmethod
    def of(cls, template: Template) -> Growth:
        """Work out what every payload of a template has in common."""
        at, old, count = template.payload_at, template.payload, len(template.checksums)
        lengths = template.lengths()
        without = [(place.start, place.read(template.data) - len(old)) for place in lengths]
        per_byte = [_factor(template, index, lengths) for index in range(count)]
        gone = dict(template.links(at, at + len(old)))
        at_all = [-gone.get(index, 0) * int.from_bytes(old) - len(old) * per_byte[index] for index in range(count)]
        most = min((place.mask - length for place, (_, length) in zip(lengths, without, strict=True)), default=ONES)
        return cls(
            tuple(without),
            most,
            tuple(per_byte),
            tuple(at_all),
            (template.links(at, at + 2), template.links(at, at + 1)),
        )


@dataclass(frozen=True, slots=True)
class Variation:
    """A template with the fields that vary. `size` is how many bytes `apply` takes for them."""

    template: Template
    span: Span
    size: int
    growth: Growth | None

    @classmethod
    def of(cls, template: Template, names: Iterable[str], *, payload: bool = False) -> Variation:
        """Vary the named fields, and the payload; TemplateError for what the packet has not."""
        span = Span.of(template, names)
        return cls(template, span, span.stop - span.start, Growth.of(template) if payload else None)

    def apply(self, drawn: bytes) -> bytes:
        """Return the packet, each varied bit flipped where the drawn bytes have a one; what exceeds `size` is payload.

        Zeros leave the fields as the template has them, which is where hypothesis shrinks to.
        """
        template, span, size = self.template, self.span, self.size
        data, sums = bytearray(template.data), [0] * len(template.checksums)
        flipped = int.from_bytes(drawn[:size]) & span.mask
        if flipped:
            new = span.old ^ flipped
            data[span.start : span.stop] = new.to_bytes(size)
            for index, cover, factor in span.covered:
                sums[index] += ((new & cover) - (span.old & cover)) * factor
        if self.growth:
            self._grow(self.growth, data, drawn[size:], sums)
        return template.settle(data, sums)

    def _grow(self, growth: Growth, data: bytearray, payload: bytes, sums: list[int]) -> None:
        count = len(payload)
        if count > growth.most:
            raise TemplateError(f"The payload has {count} bytes; expected at most {growth.most}.")
        for at, length in growth.lengths:
            data[at : at + 2] = (length + count).to_bytes(2)
        for index, per_byte in enumerate(growth.per_byte):
            sums[index] += count * per_byte + growth.at_all[index]
        data[self.template.payload_at :] = payload
        if count:
            content = int.from_bytes(payload)
            for index, factor in growth.links[count % 2]:
                sums[index] += content * factor


def _factor(template: Template, index: int, lengths: tuple[Place, ...]) -> int:
    """Return by how much the sum of a checksum grows with each byte of payload."""
    counted = sum(dict(template.links(place.start, place.stop)).get(index, 0) for place in lengths)
    return counted + template.checksums[index].pseudo


def _mark(masks: bytearray, place: Place) -> None:
    bits = (place.mask << place.shift).to_bytes(place.stop - place.start)
    for offset, byte in enumerate(bits, place.start):
        masks[offset] |= byte


def _covered(template: Template, start: int, stop: int) -> tuple[tuple[int, int, int], ...]:
    """Say which bits of a span each checksum counts; as 65536 is 1 in a sum, every second byte counts alike."""
    masks: defaultdict[tuple[int, int], int] = defaultdict(int)
    for offset in range(start, stop):
        shift = 8 * (stop - 1 - offset)
        for index, factor in template.links(offset, offset + 1):
            masks[index, factor * (256 if shift % 16 else 1) % ONES] |= 0xFF << shift
    return tuple((index, mask, factor) for (index, factor), mask in masks.items())
