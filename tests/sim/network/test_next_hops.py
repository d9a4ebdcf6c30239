"""A packet that redirect_neigh sends gets the addresses of its next hop, from the test's routes and neighbours."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest

from bpflab import Lab
from bpflab.sim.path import Fate, Way

NONE = "r2 = 0\nr3 = 0\n"
BY_ADDRESS = (
    "r2 = 2\n*(u32 *)(r10 - 24) = r2\n*(u64 *)(r10 - 16) = r2\n*(u64 *)(r10 - 8) = r2\n"
    "r2 = 0x0a000105\nr2 = be32 r2\n*(u32 *)(r10 - 20) = r2\nr2 = r10\nr2 += -24\nr3 = 20\n"
)
MACS = {"10.0.1.5": "02:00:00:00:00:05", "10.0.1.9": "02:00:00:00:00:09", "fc00::5": "02:00:00:00:00:06"}


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


def sent(lab: Lab, destination: str, params: str = NONE) -> Way:
    world = lab.world
    come = world.add_interface("eth0")
    gone = world.add_interface("eth1", mac="02:00:00:00:00:01")
    world.add_route("10.0.1.0/24", gone)
    world.add_route("10.2.0.0/16", gone, via="10.0.1.9")
    world.add_route("10.3.0.0/16", come)
    world.add_route("fc00::/64", gone)
    for neighbour, mac in MACS.items():
        world.add_neighbour(neighbour, mac, gone)
    code = f"{params}r1 = {gone.ifindex}\nr4 = 0\ncall bpf_redirect_neigh\nexit"
    lab.attach(lab.program(code, type="sched_cls", name="neigh"), come, hook="ingress")
    address = ipaddress.ip_address(destination)
    head = b"\x45" + bytes(15) if address.version == 4 else b"\x60" + bytes(23)
    kind = b"\x08\0" if address.version == 4 else b"\x86\xdd"
    return world.send(bytes(12) + kind + head + address.packed + bytes(20), come)


@pytest.mark.parametrize(
    ("destination", "params", "mac"),
    [
        ("10.0.1.5", NONE, "10.0.1.5"),
        ("10.2.7.7", NONE, "10.0.1.9"),
        ("fc00::5", NONE, "fc00::5"),
        ("9.9.9.9", BY_ADDRESS, "10.0.1.5"),
    ],
)
def test_a_packet_leaves_with_the_addresses_of_its_next_hop(lab: Lab, destination: str, params: str, mac: str) -> None:
    way = sent(lab, destination, params)
    assert (way.end.fate, way.end.interface) == (Fate.LEFT, "eth1")
    assert way.packet[:6].hex(":") == MACS[mac]
    assert way.packet[6:12].hex(":") == "02:00:00:00:00:01"


@pytest.mark.parametrize(("destination", "reason"), [("10.0.1.77", "10.0.1.77 is not known"), ("10.3.0.1", "no route")])
def test_a_packet_without_a_next_hop_is_dropped_and_why_is_said(lab: Lab, destination: str, reason: str) -> None:
    way = sent(lab, destination)
    assert way.end.fate is Fate.DROPPED
    assert reason in way.end.reason
