"""Packets that are wrong in one stated way, made from a good one by changing its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab_packets.layout import LENGTHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpflab_packets.layout import Layer
    from bpflab_packets.template import Template

ETHERNET_MTU: Final = 1500
FRAGMENT_UNIT: Final = 8
"""Fragment offsets count in units of eight bytes (RFC 791)."""
HEADER_LENGTHS: Final = {"IP": ("ihl", 5), "TCP": ("dataofs", 5)}
"""Fields that give the size of their own header in words of four bytes, and the least they may say."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A wrong packet: its kind (a key of `KINDS`), what is wrong in words, and the bytes."""

    kind: str
    what: str
    data: bytes

    def __bytes__(self) -> bytes:
        return self.data


def truncated(template: Template) -> Iterator[Malformed]:
    """Cut the packet at the start of each layer and in the middle of each, its lengths as they were."""
    for layer in template.layers:
        middle = (layer.start + layer.stop) // 2
        yield Malformed("truncated", f"ends before {layer.name}", template.data[: layer.start])
        if middle > layer.start:
            yield Malformed("truncated", f"ends within {layer.name}", template.data[:middle])


def bad_length(template: Template) -> Iterator[Malformed]:
    """Let each length field say too little for its header, one less, one more, and all ones."""
    for layer in template.layers:
        short = LENGTHS.get(_kind(layer))
        if short:
            name = f"{layer.name}.{short}"
            true = template.fields[name].read(template.data)
            for wrong in sorted({0, true - 1, true + 1, 0xFFFF} - {true, -1}):
                yield Malformed("bad_length", f"{name} is {wrong}, not {true}", template.patch({name: wrong}))


def bad_checksum(template: Template) -> Iterator[Malformed]:
    """Flip a bit of each checksum; the outer ones count that."""
    for name, place in template.fields.items():
        if any(checksum.at == place.start for checksum in template.checksums):
            true = place.read(template.data)
            # Not zero, which says for UDP that there is no checksum.
            yield Malformed("bad_checksum", f"{name} is wrong", template.patch({name: true ^ 1 or true ^ 2}))


def bad_header_length(template: Template) -> Iterator[Malformed]:
    """Let IHL and the TCP data offset say less than the least header, or more than the packet has."""
    for layer in template.layers:
        if _kind(layer) in HEADER_LENGTHS:
            short, least = HEADER_LENGTHS[_kind(layer)]
            name, left = f"{layer.name}.{short}", len(template.data) - layer.start
            wrong = [0, least - 1] + ([15] if left < 15 * 4 else [])
            for words in wrong:
                yield Malformed("bad_header_length", f"{name} is {words}", template.patch({name: words}))


def oversize(template: Template) -> Iterator[Malformed]:
    """Fill the packet beyond an Ethernet MTU, and let it be a fragment that ends beyond 65,535 bytes."""
    start = template.layers[0].stop
    room = ETHERNET_MTU + 1 - (template.payload_at - start)
    try:
        yield Malformed("oversize", f"is over {ETHERNET_MTU} bytes", template.patch(payload=bytes(room)))
    except ValueError:  # a packet that takes no payload has no larger kind
        return
    if "IP.frag" in template.fields:
        changes = {"IP.frag": 0x1FFF, "IP.flags": 0}
        big = template.patch(changes, payload=bytes(2 * FRAGMENT_UNIT))
        yield Malformed("oversize", "ends beyond 65535 bytes when put together", big)


def overlapping_fragments(template: Template, first: int = 4, overlap: int = 1) -> tuple[bytes, bytes]:
    """Return two IPv4 fragments, the second of which begins `overlap` units of eight bytes before the first ends.

    `first` is the size of the first one in the same units. The template is a packet with one IPv4 header whose payload
    directly follows it, such as `builders.ipv4_fragment()`. ValueError unless 0 < overlap <= first.
    """
    if not 0 < overlap <= first:
        raise ValueError(f"Fragments of {first} units overlap by {overlap}; expected 1 to {first}.")
    head = template.patch({"IP.frag": 0, "IP.flags": 1}, payload=bytes(first * FRAGMENT_UNIT))
    tail = template.patch({"IP.frag": first - overlap, "IP.flags": 0}, payload=b"\xff" * first * FRAGMENT_UNIT)
    return head, tail


def _kind(layer: Layer) -> str:
    return layer.name.partition(":")[0]


KINDS: Final[dict[str, Callable[[Template], Iterator[Malformed]]]] = {
    "truncated": truncated,
    "bad_length": bad_length,
    "bad_checksum": bad_checksum,
    "bad_header_length": bad_header_length,
    "oversize": oversize,
}
"""Every way to spoil one packet, by name."""


def spoil(template: Template, *kinds: str) -> list[Malformed]:
    """Return the packet spoilt in every way of the given kinds, or of all kinds."""
    return [wrong for kind in kinds or KINDS for wrong in KINDS[kind](template)]
