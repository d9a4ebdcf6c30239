"""A packet sent into the simulated machine takes the way that programs and their redirects give it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bpflab import TC, XDP, Lab
from bpflab.abi.attach_types import AttachType
from bpflab.errors import ArgumentError
from bpflab.maps.codecs.references import Target
from bpflab.programs.program import Program
from bpflab.sim.path import Fate, Hook
from bpflab.sim.topology import Interface

PACKET = bytes(12) + b"\x08\x00\x45" + bytes(49)
TCX_NEXT = -1


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


@pytest.fixture
def eth0(lab: Lab) -> Interface:
    return lab.world.add_interface("eth0")


@pytest.fixture
def pair(lab: Lab) -> tuple[Interface, Interface]:
    return lab.world.add_pair("veth0", "veth1")


def says(lab: Lab, verdict: int, name: str = "says", type: str = "xdp", **options: Any) -> Program:  # noqa: A002 - the field's word
    return lab.program(f"r0 = {int(verdict)}\nexit", name=name, type=type, **options)


def redirects(lab: Lab, ifindex: int, flags: int = 0, type: str = "xdp", helper: str = "bpf_redirect") -> Program:  # noqa: A002 - as above
    flag_reg = 2 if helper != "bpf_clone_redirect" else 3
    code = f"r{flag_reg - 1} = {ifindex}\nr{flag_reg} = {flags}\ncall {helper}\n"
    code += "r0 = -1\nexit" if helper == "bpf_clone_redirect" else "exit"
    return lab.program(code, name="redirects", type=type)


def by_map(lab: Lab, name: str, flags: int = 0) -> Program:
    return lab.program(f"r1 = {name} ll\nr2 = 0\nr3 = {flags}\ncall bpf_redirect_map\nexit", name="by_map")


@pytest.mark.parametrize(
    ("verdict", "fate"),
    [
        (XDP.PASS, Fate.STACK),
        (XDP.DROP, Fate.DROPPED),
        (XDP.ABORTED, Fate.DROPPED),
        (XDP.TX, Fate.LEFT),
        (17, Fate.DROPPED),
    ],
)
def test_an_xdp_verdict_decides_where_a_packet_ends(lab: Lab, eth0: Interface, verdict: int, fate: Fate) -> None:
    lab.attach(says(lab, verdict), eth0)
    way = lab.world.send(PACKET, eth0)
    assert (way.end.fate, way.end.interface, way.packet) == (fate, "eth0", PACKET)
    assert [(hop.hook, hop.verdict) for hop in way.hops] == [(Hook.XDP, verdict)]


def test_without_programs_a_packet_goes_to_the_stack(lab: Lab, eth0: Interface) -> None:
    way = lab.world.send(PACKET, eth0)
    assert (way.hops, way.end.fate) == ([], Fate.STACK)


def test_tc_programs_run_in_order_until_one_decides(lab: Lab, eth0: Interface) -> None:
    names = {"first": TCX_NEXT, "second": TC.OK, "third": TC.SHOT}
    for name, verdict in names.items():
        lab.attach(says(lab, verdict, name, "sched_cls"), eth0, hook="ingress")
    way = lab.world.send(PACKET, eth0)
    assert (way.programs, way.end.fate) == (["first", "second"], Fate.STACK)


def test_a_mark_goes_from_one_tc_program_to_the_next(lab: Lab, eth0: Interface) -> None:
    marks = lab.program("*(u32 *)(r1 + 8) = 7\nr0 = -1\nexit", type="sched_cls")
    drops = lab.program("r0 = *(u32 *)(r1 + 8)\nif r0 == 7 goto +2\nr0 = 0\nexit\nr0 = 2\nexit", type="sched_cls")
    lab.attach(marks, eth0, hook="ingress")
    lab.attach(drops, eth0, hook="ingress")
    assert lab.world.send(PACKET, eth0).end.fate is Fate.DROPPED


def test_what_leaves_one_of_a_pair_arrives_at_the_other(
    lab: Lab, eth0: Interface, pair: tuple[Interface, Interface]
) -> None:
    lab.attach(redirects(lab, pair[0].ifindex), eth0)
    lab.attach(says(lab, XDP.DROP, "at_peer"), pair[1])
    way = lab.world.send(PACKET, eth0)
    assert [(hop.interface, hop.program) for hop in way.hops] == [("eth0", "redirects"), ("veth1", "at_peer")]


@pytest.mark.parametrize(("flags", "met"), [(0, Hook.EGRESS), (1, Hook.INGRESS)])
def test_a_tc_redirect_goes_out_of_or_into_the_target(
    lab: Lab, eth0: Interface, pair: tuple[Interface, Interface], flags: int, met: Hook
) -> None:
    lab.attach(redirects(lab, pair[0].ifindex, flags, "sched_cls"), eth0, hook="ingress")
    for hook in ("ingress", "egress"):
        lab.attach(says(lab, TC.SHOT, hook, "sched_cls"), pair[0], hook=hook)
    way = lab.world.send(PACKET, eth0)
    assert [hop.hook for hop in way.hops] == [Hook.INGRESS, met]


def test_a_clone_takes_a_way_of_its_own(lab: Lab, eth0: Interface, pair: tuple[Interface, Interface]) -> None:
    lab.attach(redirects(lab, pair[0].ifindex, 0, "sched_cls", "bpf_clone_redirect"), eth0, hook="ingress")
    way = lab.world.send(PACKET, eth0)
    assert sorted((end.interface, end.fate) for end in way.ends) == [("eth0", Fate.STACK), ("veth1", Fate.STACK)]


def test_the_program_of_a_devmap_entry_runs_before_the_packet_leaves(
    lab: Lab, eth0: Interface, pair: tuple[Interface, Interface]
) -> None:
    devices = lab.map("devmap", value=8, max_entries=2, name="devices")
    egress = lab.program(
        f"r0 = *(u32 *)(r1 + 20)\nif r0 == {pair[0].ifindex} goto +2\nr0 = 1\nexit\nr0 = 2\nexit",
        name="on_the_way",
        expected_attach_type=AttachType.XDP_DEVMAP,
    )
    devices[0] = Target(pair[0].ifindex, egress)
    lab.attach(by_map(lab, "devices"), eth0)
    way = lab.world.send(PACKET, eth0)
    assert [(hop.hook, hop.program) for hop in way.hops] == [(Hook.XDP, "by_map"), (Hook.DEVMAP, "on_the_way")]
    assert (way.end.interface, way.end.fate) == ("veth1", Fate.STACK)


def test_a_cpumap_entry_runs_its_program_on_that_cpu(lab: Lab, eth0: Interface) -> None:
    cpus = lab.map("cpumap", value=8, max_entries=4, name="cpus")
    there = says(lab, XDP.PASS, "there", expected_attach_type=AttachType.XDP_CPUMAP)
    cpus[0] = Target(64, there)
    lab.attach(by_map(lab, "cpus"), eth0)
    way = lab.world.send(PACKET, eth0, cpu=3)
    assert [(hop.hook, hop.cpu) for hop in way.hops] == [(Hook.XDP, 3), (Hook.CPUMAP, 0)]


def test_a_broadcast_leaves_out_where_the_packet_came_in(lab: Lab, eth0: Interface) -> None:
    others = [lab.world.add_interface(f"eth{number}") for number in (1, 2)]
    devices = lab.map("devmap", max_entries=4, name="devices")
    for index, interface in enumerate((eth0, *others)):
        devices[index] = interface.ifindex
    broadcast_not_back = 8 | 16
    lab.attach(by_map(lab, "devices", broadcast_not_back), eth0)
    way = lab.world.send(PACKET, eth0)
    assert sorted(end.interface for end in way.ends) == ["eth1", "eth2"]


def test_a_packet_that_goes_round_is_an_error(lab: Lab, pair: tuple[Interface, Interface]) -> None:
    for interface in pair:
        lab.attach(says(lab, XDP.TX, f"back_{interface.name}"), interface)
    with pytest.raises(ArgumentError, match="goes round"):
        lab.world.send(PACKET, pair[0])


def test_a_redirect_to_nowhere_drops_the_packet(lab: Lab, eth0: Interface) -> None:
    lab.attach(redirects(lab, 4711), eth0)
    assert "no interface 4711" in lab.world.send(PACKET, eth0).end.reason


def test_a_packet_needs_an_interface_that_is_there(lab: Lab) -> None:
    with pytest.raises(ArgumentError, match="no interface 99"):
        lab.world.send(PACKET, 99)
