"""Packets that belong together: a TCP session from handshake to teardown, and the packets of one UDP flow."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING, Final

from bpflab_packets import builders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpflab_packets.template import Template, Value

SEQUENCE: Final = 1 << 32
"""Sequence numbers wrap here (RFC 9293, section 3.4)."""


class Flag(IntFlag):
    """Flags of a TCP header (RFC 9293, section 3.1)."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16


@dataclass(frozen=True, slots=True)
class Peer:
    """One end of a flow: address, port, and for TCP the sequence number it begins with."""

    address: str | bytes
    port: int
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """Data that one end sends: the client or the server."""

    from_client: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """One packet of a flow: who sent it, its TCP flags (none for UDP), and the bytes."""

    from_client: bool
    flags: Flag
    data: bytes

    def __bytes__(self) -> bytes:
        return self.data


@dataclass(slots=True)
class _Wire:
    template: Template
    peers: tuple[Peer, Peer]
    sent: list[int] = field(default_factory=list)

    def segment(self, message: Message, flags: Flag) -> Segment:
        here, there = (0, 1) if message.from_client else (1, 0)
        changes = _addresses(self.template, self.peers[here], self.peers[there])
        changes |= {"TCP.seq": self.sent[here], "TCP.flags": int(flags)}
        changes |= {"TCP.ack": self.sent[there] if Flag.ACK in flags else 0}
        taken = len(message.data) + (Flag.SYN in flags) + (Flag.FIN in flags)
        self.sent[here] = (self.sent[here] + taken) % SEQUENCE
        return Segment(message.from_client, flags, self.template.patch(changes, payload=message.data))


def tcp_session(
    client: Peer,
    server: Peer,
    messages: Sequence[Message] = (),
    *,
    reset: bool = False,
    template: Template | None = None,
) -> Iterator[Segment]:
    """Yield the segments of a session: handshake, each message and its acknowledgement, teardown.

    The client closes by FIN, or by RST with `reset`. The template is one of TCP over IPv4 or IPv6 (`builders.tcp()`).
    """
    wire = _Wire(template or builders.tcp(), (client, server), [client.sequence, server.sequence])
    yield wire.segment(Message(True, b""), Flag.SYN)  # noqa: FBT003 - the field's meaning is who sends
    yield wire.segment(Message(False, b""), Flag.SYN | Flag.ACK)  # noqa: FBT003 - as above
    yield wire.segment(Message(True, b""), Flag.ACK)  # noqa: FBT003 - as above
    for message in messages:
        yield wire.segment(message, Flag.PSH | Flag.ACK)
        yield wire.segment(Message(not message.from_client, b""), Flag.ACK)
    for by_client, flags in RESET if reset else TEARDOWN:
        yield wire.segment(Message(by_client, b""), flags)


TEARDOWN: Final = ((True, Flag.FIN | Flag.ACK), (False, Flag.FIN | Flag.ACK), (True, Flag.ACK))
RESET: Final = ((True, Flag.RST | Flag.ACK),)


def udp_flow(
    client: Peer, server: Peer, messages: Sequence[Message], *, template: Template | None = None
) -> Iterator[Segment]:
    """Yield one datagram for each message. The template is one of UDP over IPv4 or IPv6 (`builders.udp()`)."""
    used = template or builders.udp()
    for message in messages:
        here, there = (client, server) if message.from_client else (server, client)
        yield Segment(message.from_client, Flag(0), used.patch(_addresses(used, here, there), payload=message.data))


def _addresses(template: Template, here: Peer, there: Peer) -> dict[str, Value]:
    ip = "IP" if "IP.src" in template.fields else "IPv6"
    ends: dict[str, Value] = {f"{ip}.src": here.address, f"{ip}.dst": there.address}
    return ends | {"sport": here.port, "dport": there.port}
