"""The forms that packet programs repeat do on both kernels what their documentation says."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import TC, XDP
from bpflab.asm import assemble, exit_, label, lsh, mov, or_, r0, r1, r2, r3, r4, r6, r7, sub
from bpflab.asm.count import count
from bpflab.asm.packet import (
    check_bounds,
    load_packet,
    parse_ethernet,
    parse_ipv4,
    parse_ipv6,
    parse_tcp,
    parse_udp,
    verdict,
)
from bpflab.errors import AssemblyError, BpfError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.asm import Items
    from bpflab.lab import Lab

MISSED = 0xFFFF
ETHERNET = bytes(12) + b"\x08\x00"
IPV4 = struct.pack(">BBHHHBBHII", 0x45, 0, 40, 0, 0, 64, 6, 0, 0x0A000001, 0x0A000002)
IPV4_WITH_OPTIONS = b"\x47" + IPV4[1:] + bytes(8)
IPV6 = struct.pack(">IHBB", 0x60000000, 20, 17, 64) + bytes(32)
TCP = struct.pack(">HHIIBBHHH", 1000, 80, 0, 0, 0x50, 2, 0, 0, 0)
TCP_WITH_OPTIONS = TCP[:12] + b"\x60" + TCP[13:] + bytes(4)
UDP = struct.pack(">HHHH", 53, 5353, 8, 0)
PAYLOAD = b"payload" * 4


def result(lab: Lab, parts: Items, packet: bytes) -> int:
    """Run a program that reads headers, and return what it leaves in r0, or MISSED."""
    program = [load_packet(ProgType.XDP), parts, exit_(), label("missed"), verdict(MISSED)]
    return lab.program(program, type="xdp").run(packet).retval


def position(start: Items) -> list[object]:
    """Leave in r0 how far `start` moved the cursor from the packet's first byte."""
    return [mov(r6, r1), start, load_packet(ProgType.XDP, ctx=r6, cursor=r4, end=r3), mov(r0, r2), sub(r0, r4)]


@pytest.mark.parametrize(("length", "expected"), [(64, 1), (65, MISSED)])
def test_bounds_are_checked_to_the_last_byte(lab: Lab, length: int, expected: int) -> None:
    assert result(lab, [check_bounds(length, "missed"), mov(r0, 1)], bytes(64)) == expected


def test_ethernet_gives_the_type_in_host_order(lab: Lab) -> None:
    assert result(lab, [parse_ethernet("missed"), mov(r0, r4)], ETHERNET + PAYLOAD) == 0x0800


@pytest.mark.parametrize("header", [IPV4, IPV4_WITH_OPTIONS], ids=["plain", "options"])
def test_ipv4_gives_protocol_and_addresses_and_skips_options(lab: Lab, header: bytes) -> None:
    parse = [parse_ethernet("missed"), parse_ipv4("missed", source=r6, destination=r7)]
    packet = ETHERNET + header + TCP + PAYLOAD
    assert result(lab, [parse, mov(r0, r4)], packet) == 6
    assert result(lab, [parse, mov(r0, r6)], packet) == 0x0A000001
    assert result(lab, [parse, mov(r0, r7)], packet) == 0x0A000002
    assert result(lab, [parse, check_bounds(20, "missed"), parse_tcp("missed"), mov(r0, r4)], packet) == 80


@pytest.mark.parametrize(
    "header",
    [b"\x65" + IPV4[1:], b"\x44" + IPV4[1:], IPV4[:6] + b"\x20\x01" + IPV4[8:]],
    ids=["v6", "ihl4", "fragment"],
)
def test_ipv4_misses_other_versions_short_headers_and_later_fragments(lab: Lab, header: bytes) -> None:
    parse = [parse_ethernet("missed"), parse_ipv4("missed"), mov(r0, r4)]
    assert result(lab, parse, ETHERNET + header + TCP + PAYLOAD) == MISSED


def test_the_first_fragment_of_several_is_read(lab: Lab) -> None:
    header = IPV4[:6] + b"\x20\x00" + IPV4[8:]
    assert result(lab, [parse_ethernet("missed"), parse_ipv4("missed"), mov(r0, r4)], ETHERNET + header + TCP) == 6


def test_ipv6_gives_the_next_header(lab: Lab) -> None:
    parse = [parse_ethernet("missed"), parse_ipv6("missed")]
    packet = ETHERNET + IPV6 + UDP + PAYLOAD
    assert result(lab, [parse, mov(r0, r4)], packet) == 17
    assert result(lab, [parse, mov(r0, r4)], ETHERNET + IPV4 + TCP + PAYLOAD) == MISSED


@pytest.mark.parametrize(
    ("parse", "header", "ports"),
    [(parse_tcp, TCP, (1000, 80)), (parse_tcp, TCP_WITH_OPTIONS, (1000, 80)), (parse_udp, UDP, (53, 5353))],
    ids=["tcp", "tcp options", "udp"],
)
def test_tcp_and_udp_give_the_ports(
    lab: Lab, parse: Callable[..., Items], header: bytes, ports: tuple[int, int]
) -> None:
    both = [parse("missed", source=r0, destination=r4), lsh(r0, 16), or_(r0, r4)]
    assert result(lab, both, header + PAYLOAD) == ports[0] << 16 | ports[1]


@pytest.mark.parametrize(
    ("parse", "header"),
    [
        (parse_ethernet, ETHERNET),
        (parse_ipv4, IPV4),
        (parse_ipv4, IPV4_WITH_OPTIONS),
        (parse_ipv6, IPV6),
        (parse_tcp, TCP),
        (parse_tcp, TCP_WITH_OPTIONS),
        (parse_udp, UDP),
    ],
    ids=["ethernet", "ipv4", "ipv4 options", "ipv6", "tcp", "tcp options", "udp"],
)
def test_the_cursor_stands_behind_the_header(lab: Lab, parse: Callable[..., Items], header: bytes) -> None:
    assert result(lab, position(parse("missed")), header + PAYLOAD) == len(header)


@pytest.mark.parametrize("parse", [parse_ethernet, parse_ipv4, parse_ipv6, parse_tcp, parse_udp])
def test_a_packet_that_ends_inside_the_header_is_missed(lab: Lab, parse: Callable[..., Items]) -> None:
    skipped = [check_bounds(14, "missed"), mov(r0, 0)]
    packet = bytes(14)
    assert result(lab, [skipped, parse("missed"), parse("missed"), mov(r0, 0)], packet) == MISSED


def test_the_same_forms_work_in_tc(lab: Lab) -> None:
    program = [
        load_packet(ProgType.SCHED_CLS),
        parse_ethernet("other"),
        verdict(TC.SHOT),
        label("other"),
        verdict(TC.OK),
    ]
    assert lab.program(program, type="sched_cls").run(bytes(64)).action is TC.SHOT


@pytest.mark.parametrize(("map_type", "per_cpu"), [("array", False), ("percpu_array", True)])
def test_counting_adds_to_the_value_of_the_key_alone(lab: Lab, map_type: str, per_cpu: bool) -> None:
    counts = lab.map(map_type, key="u32", value="u64", max_entries=4, name="counts")
    program = [mov(r6, 5), count("counts", 2, per_cpu=per_cpu), count("counts", r6, by=r6), verdict(XDP.PASS)]
    loaded = lab.program(program, type="xdp")
    assert [loaded.run(bytes(64)).action for _ in range(3)] == [XDP.PASS] * 3
    values = [sum(counts[key]) if per_cpu else counts[key] for key in range(4)]
    assert values == [0, 0, 3, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parse_ethernet("x", proto=r2), "r2 cannot be both cursor and proto"),
        (lambda: parse_ipv4("x", source=r4), "r4 cannot be both proto and source"),
        (
            lambda: count("m", 0, by=r3),
            r"count\(by=r3\): the call of map_lookup_elem clobbers r3; give one of r6 to r9",
        ),
        (lambda: load_packet(ProgType.SYSCALL), "the context of a SYSCALL program has no data"),
        (lambda: load_packet(ProgType.CGROUP_SOCK), "bpf_sock has no field 'data'"),
    ],
)
def test_registers_and_programs_that_cannot_serve_are_refused(make: Callable[[], Items], message: str) -> None:
    with pytest.raises(BpfError, match=message):
        assemble(make())


def test_forms_are_checked_when_assembled_not_when_made() -> None:
    with pytest.raises(AssemblyError, match="label 'nowhere' is not defined"):
        assemble([check_bounds(14, "nowhere"), exit_()])
