"""Packets: built by scapy, patched in bytes, drawn by hypothesis, in flows, dissected and compared."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab_packets import builders
from bpflab_packets.flows import Message, Peer, udp_flow
from bpflab_packets.strategies import packets
from bpflab_packets.template import Template
from bpflab_packets.variation import Variation

if TYPE_CHECKING:
    from collections.abc import Callable

    from effort import Effort
    from measure import Measure, Work

FAMILIES = ("udp", "tcp", "tcp6", "vxlan")
COMPUTED = {"chksum", "len", "plen", "ihl", "dataofs"}
PATCHED = 1 / 20
DRAWN = 1 / 8
"""The largest share of scapy's time that patching a packet may take, and drawing one. Hypothesis itself, which draws a
piece of bytes one by one, is nine tenths of a draw: `apply` is the rest."""


def dissected(data: bytes) -> Any:  # noqa: ANN401 - scapy has no types
    return import_module("scapy.layers.l2").Ether(data)


def recipe(data: bytes) -> list[tuple[Any, dict[str, Any]]]:
    """Return the layers of a packet with the fields that its author would give."""
    layer, found = dissected(data), list[tuple[Any, dict[str, Any]]]()
    while layer.name != "NoPayload":
        found.append((type(layer), {name: value for name, value in layer.fields.items() if name not in COMPUTED}))
        layer = layer.payload
    return found


def built(layers: list[tuple[Any, dict[str, Any]]]) -> bytes:
    """Build a packet of its layers by scapy."""
    (first, fields), *rest = layers
    packet = first(**fields)
    for kind, values in rest:
        packet /= kind(**values)
    return bytes(packet)


def repeated(work: Work, count: int) -> Work:
    def all_of_them() -> None:
        for _ in range(count):
            work()

    return all_of_them


def template_of(family: str) -> Template:
    make: Callable[[], Template] = getattr(builders, family)
    return make()


@pytest.mark.ways("patch", "apply", "template", "scapy")
@pytest.mark.parametrize("family", FAMILIES)
def test_build(measure: Measure, effort: Effort, family: str, way: str) -> None:
    """Make one packet: patch its addresses and payload, flip varied bits, make the template anew, or build by scapy."""
    template, count = template_of(family), effort.count(kernel=20, sim=4)
    layers, changes = recipe(template.data), {"Ether.src": bytes(6)}
    varied = Variation.of(template, ["Ether.src"])
    drawn = bytes(range(varied.size))
    ways: dict[str, Work] = {
        "patch": lambda: template.patch(changes, payload=b"payload"),
        "apply": lambda: varied.apply(drawn),
        "template": lambda: Template.of(dissected(template.data)),
        "scapy": lambda: built(layers),
    }
    measure(
        {name: repeated(work, count) for name, work in ways.items()},
        way,
        group="packet building",
        subject=family,
        operations=count,
        limits={"scapy": PATCHED} if way in {"patch", "apply"} else {},
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_draw(measure: Measure, family: str) -> None:
    """Draw a packet within a hypothesis example; all rounds draw from the same one, which ends at 8 KiB."""
    count, over = 4, list[BaseException]()

    @settings(max_examples=1, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def drawn(data: st.DataObject) -> None:
        draw, strategy = data.conjecture_data.draw, packets(family)
        layers = recipe(draw(strategy))
        ways = {"bpflab": repeated(lambda: draw(strategy), count), "scapy": repeated(lambda: built(layers), count)}
        try:
            measure(ways, group="packet drawing", subject=family, operations=count, baseline="scapy", limits=limits)
        except pytest.fail.Exception as slow:  # hypothesis would run a failing example again
            over.append(slow)

    limits = {"scapy": DRAWN}
    drawn()
    for slow in over:
        raise slow


@pytest.mark.axis("packets", kernel=[1, 16, 256, 1_024], sim=[1, 16, 64])
def test_flow(measure: Measure, packets: int) -> None:
    """A flow of so many datagrams."""
    peers = [Peer(address, 7) for address in ("192.0.2.1", "192.0.2.2")]
    messages, template = [Message(True, b"message")] * packets, builders.udp()  # noqa: FBT003 - who sends

    def made() -> None:
        for _ in udp_flow(peers[0], peers[1], messages, template=template):
            pass

    measure({"bpflab": made}, group="packet flow", subject="udp", operations=packets, axis="packets", value=packets)


@pytest.mark.axis("bytes", kernel=[0, 64, 512, 1_400], sim=[0, 64, 512])
def test_patch_by_payload(measure: Measure, effort: Effort, bytes: int) -> None:  # noqa: A002 - the axis
    """Replace the payload, checksums included."""
    template, payload, count = builders.udp(), b"\x5a" * bytes, effort.count(kernel=40, sim=8)
    work = repeated(lambda: template.patch(payload=payload), count)
    measure({"bpflab": work}, group="packet payload", subject="udp", operations=count, axis="bytes", value=bytes)


@pytest.mark.ways("differences", "scapy")
def test_compare(measure: Measure, effort: Effort, way: str) -> None:
    """Name the fields in which two packets differ; scapy's way is to dissect both, and no more."""
    from bpflab_packets.compare import differing_fields

    one, count = template_of("tcp"), effort.count(kernel=8, sim=2)
    other = one.patch({"TCP.seq": 7})
    ways: dict[str, Work] = {
        "differences": lambda: differing_fields(one.data, other),
        "scapy": lambda: (dissected(one.data), dissected(other)),
    }
    measure(
        {name: repeated(work, count) for name, work in ways.items()},
        way,
        group="packet comparison",
        subject="tcp",
        operations=count,
    )
