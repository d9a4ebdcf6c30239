"""Packets of the families from a seed, without hypothesis: for benchmarks and quick loops."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from bpflab_packets.families import PAYLOAD, template_of, variation_of
from bpflab_packets.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab_packets.template import Template, Value
    from bpflab_packets.variation import Variation


def packets(
    kind: str | Template,
    count: int,
    fields: Mapping[str, Value] | None = None,
    /,
    *,
    seed: int = 0,
    vary: tuple[str, ...] | None = None,
    payload: int = PAYLOAD,
) -> list[bytes]:
    """Return `count` packets of a family (a key of `builders.FAMILIES`) or of a template, with right checksums.

    The same arguments give the same packets. `fields` sets fields to values; `vary` names the fields that vary beside
    them, by default those of `families.FREE`; payloads have 0 to `payload` bytes, where 0 leaves that of the template.
    TemplateError for a family or field that is not there, and for a count or payload that cannot be.
    """
    _check("count", count)
    _check("payload", payload)
    variation = variation_of(template_of(kind), fields or {}, vary, payload=payload > 0)
    growth = variation.growth
    if growth and payload > growth.most:
        raise TemplateError(f"payload={payload} for this packet; expected at most {growth.most} bytes.")
    random = Random(seed)
    return [_packet(variation, random, payload) for _ in range(count)]


def _packet(variation: Variation, random: Random, most: int) -> bytes:
    length = random.randrange(most + 1) if variation.growth else 0
    return variation.apply(random.randbytes(variation.size + length))


def _check(name: str, value: int) -> None:
    if value < 0:
        raise TemplateError(f"{name}={value!r} was given; expected a whole number, 0 or more.")
