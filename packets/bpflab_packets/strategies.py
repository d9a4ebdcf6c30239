"""hypothesis strategies: packets of every family, malformed ones, flows. They shrink to the templates of `builders`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from hypothesis import strategies as st

from bpflab_packets import builders, flows, malformed
from bpflab_packets.families import FREE, PAYLOAD, free_fields, takes_payload, template_of, variation_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.internal.conjecture.data import ConjectureData
    from hypothesis.strategies import DrawFn

    from bpflab_packets.template import Template, Value
    from bpflab_packets.variation import Variation

__all__ = [
    "FREE",
    "PacketStrategy",
    "Wanted",
    "any_packets",
    "free_fields",
    "malformed_packets",
    "messages",
    "overlapping_fragments",
    "packets",
    "peers",
    "takes_payload",
    "tcp_sessions",
    "template_of",
    "udp_flows",
]

Wanted: TypeAlias = "Mapping[str, Value | st.SearchStrategy[int] | st.SearchStrategy[bytes] | st.SearchStrategy[str]]"
"""Fields of a packet, each with its value or with a strategy for it."""
SHORT: Final = 64
"""Payloads of at most so many bytes are drawn together with the fields."""
SMALL: Final = 40
"""The most bytes of a payload in packets, and in the messages of flows, unless said otherwise."""


class PacketStrategy(st.SearchStrategy[bytes]):
    """Draws one packet: native bytes put into the template.

    A short payload is drawn in one piece with the fields and the length that is taken of it, as hypothesis makes bytes
    of a fixed size in one step and those of an open size byte by byte.
    """

    def __init__(self, variation: Variation, payload: int) -> None:
        super().__init__()
        self._variation = variation
        self._payload = payload
        self._size = variation.size + (1 + payload if 0 < payload <= SHORT else 0)

    def __repr__(self) -> str:
        return f"packets({' / '.join(layer.name for layer in self._variation.template.layers)})"

    def do_draw(self, data: ConjectureData) -> bytes:
        """Draw the packet."""
        drawn, fields = data.draw_bytes(self._size, self._size), self._variation.size
        if self._payload > SHORT:
            return self._variation.apply(drawn + data.draw_bytes(0, self._payload))
        if self._payload:
            length = drawn[fields] % (self._payload + 1)
            drawn = drawn[:fields] + drawn[fields + 1 : fields + 1 + length]
        return self._variation.apply(drawn)


def packets(
    kind: str | Template,
    fields: Wanted | None = None,
    /,
    *,
    vary: tuple[str, ...] | None = None,
    payload: int = PAYLOAD,
) -> st.SearchStrategy[bytes]:
    """Draw packets of a family (a key of `builders.FAMILIES`) or of a template, as bytes with right checksums.

    `fields` sets fields to values, or draws them from strategies; `vary` names the fields that vary beside them, by
    default those of `FREE`; `payload` is the most bytes of payload, where 0 leaves that of the template. Everything
    shrinks to the template. TemplateError for a family or field that is not there.
    """
    wanted = dict(fields or {})
    drawn = {name: value for name, value in wanted.items() if isinstance(value, st.SearchStrategy)}
    values = {name: value for name, value in wanted.items() if not isinstance(value, st.SearchStrategy)}
    variation = variation_of(template_of(kind), values, vary, payload=payload > 0, kept=drawn)
    base = PacketStrategy(variation, payload if variation.growth else 0)
    if not drawn:
        return base
    return st.builds(
        lambda data, changes: variation.template.over(data).patch(changes), base, st.fixed_dictionaries(drawn)
    )


def any_packets() -> st.SearchStrategy[bytes]:
    """Draw a packet of any family; shrinks to plain Ethernet."""
    return st.sampled_from(sorted(builders.FAMILIES, key=_simplest)).flatmap(packets)


def _simplest(family: str) -> int:
    return len(builders.FAMILIES[family]().layers)


@st.composite
def malformed_packets(draw: DrawFn, kind: str | Template, *kinds: str) -> malformed.Malformed:
    """Draw a packet that is wrong in one way of the given kinds (keys of `malformed.KINDS`), or of any kind.

    All but that one fault is as in `packets`. The family must have such a fault: a frame of plain Ethernet has no
    checksum to be wrong.
    """
    template = template_of(kind)
    varied = template.over(draw(packets(template)))
    return draw(st.sampled_from(malformed.spoil(varied, *kinds)))


@st.composite
def overlapping_fragments(draw: DrawFn) -> tuple[bytes, bytes]:
    """Draw two IPv4 fragments of one datagram that overlap."""
    template = builders.ipv4_fragment()
    varied = template.over(draw(packets(template, payload=0)))
    first = draw(st.integers(1, 100))
    return malformed.overlapping_fragments(varied, first, draw(st.integers(1, first)))


def peers(version: int = 4) -> st.SearchStrategy[flows.Peer]:
    """Draw an end of a flow; addresses are any that the IP version has."""
    size = 16 if version == 6 else 4
    address = st.binary(min_size=size, max_size=size)
    return st.builds(flows.Peer, address, st.integers(1, 0xFFFF), st.integers(0, flows.SEQUENCE - 1))


def messages(size: int = SMALL) -> st.SearchStrategy[list[flows.Message]]:
    """Draw what the ends of a flow say to each other, each message of at most `size` bytes."""
    return st.lists(st.builds(flows.Message, st.booleans(), st.binary(min_size=1, max_size=size)), max_size=6)


@st.composite
def tcp_sessions(draw: DrawFn, version: int = 4, size: int = SMALL) -> list[flows.Segment]:
    """Draw a session from handshake to teardown, by FIN or RST."""
    template = builders.tcp6() if version == 6 else builders.tcp()
    client, server, said = draw(peers(version)), draw(peers(version)), draw(messages(size))
    return list(flows.tcp_session(client, server, said, reset=draw(st.booleans()), template=template))


@st.composite
def udp_flows(draw: DrawFn, version: int = 4, size: int = SMALL) -> list[flows.Segment]:
    """Draw the datagrams of one flow, in both directions."""
    template = builders.udp6() if version == 6 else builders.udp()
    client, server = draw(peers(version)), draw(peers(version))
    return list(flows.udp_flow(client, server, draw(messages(size)), template=template))
