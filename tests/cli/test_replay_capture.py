from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether

from bpflab import Lab
from bpflab.captures import annotated, disagreements, read_capture, replay_capture, verdict_table
from bpflab.cli.demo import example_directory
from bpflab.errors import ArgumentError
from bpflab.obj.prebuilt import object_of
from bpflab_packets.pcap import write_frames
from bpflab_packets.pcapng import Captured, read_packets, write_pcapng

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

OBJECT = object_of(example_directory() / "firewall.bpf.c")
TELNET = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(dst="192.0.2.1") / TCP(dport=23))
PING = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(dst="192.0.2.1") / ICMP())
BLOCKED = ("--map", "blocked_ports", "23", "1")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    write_frames(tmp_path / "in.pcap", [TELNET, PING, TELNET])
    return tmp_path / "in.pcap"


def test_verdicts_are_counted_with_the_first_packet_of_each(bpflab: Callable[..., Result], capture: Path) -> None:
    result = bpflab("replay", capture, "--object", OBJECT, *BLOCKED, "--backend", "sim")
    assert result.exit_code == 0
    assert [line.split()[:4] for line in result.output.splitlines()] == [
        ["3", "packets", "through", "firewall"],
        ["verdict", "packets", "changed", "first"],
        ["DROP", "2", "0", "1:"],
        ["TX", "1", "1", "2:"],
    ]


def test_what_came_out_is_written_with_verdicts_and_the_comments_it_had(
    bpflab: Callable[..., Result], tmp_path: Path
) -> None:
    write_pcapng(tmp_path / "in.pcapng", [Captured(TELNET, ("from the lab",))])
    bpflab("replay", tmp_path / "in.pcapng", "-o", OBJECT, *BLOCKED, "--write", tmp_path / "out", "--backend", "sim")
    assert [packet.comments for packet in read_packets(tmp_path / "out")] == [
        ("from the lab", "packet 1 through firewall: DROP")
    ]


def test_a_packet_that_the_program_cannot_run_on_is_counted_as_refused(
    bpflab: Callable[..., Result], tmp_path: Path
) -> None:
    write_frames(tmp_path / "short.pcap", [b"\1\2\3"])
    result = bpflab("replay", tmp_path / "short.pcap", "--object", OBJECT, "--backend", "sim")
    assert "refused" in result.output
    assert "1: " in result.output


def test_a_file_that_is_no_capture_is_a_sentence(bpflab: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "in.pcap").write_bytes(b"GIF89a")
    result = bpflab("replay", tmp_path / "in.pcap", "--object", OBJECT)
    assert result.exit_code == 2
    assert "in.pcap cannot be read as a capture" in result.output


@pytest.mark.bpf(backend="kernel")
def test_both_backends_are_compared(bpflab: Callable[..., Result], capture: Path) -> None:
    result = bpflab("replay", capture, "--object", OBJECT, *BLOCKED, "--backend", "both")
    assert result.exit_code == 0
    assert "on the kernel backend" in result.output
    assert result.output.rstrip().endswith("The backends agree on every packet.")


def test_disagreements_pair_what_became_of_a_packet(bpf: Lab) -> None:
    passing, dropping = bpf.program("r0 = 2\nexit"), bpf.program("r0 = 1\nexit")
    one, other = replay_capture(passing, [TELNET, PING]), replay_capture(dropping, [TELNET, PING])
    assert [(left.verdict, right.verdict, left.number) for left, right in disagreements(one, other)] == [
        ("PASS", "DROP", 1),
        ("PASS", "DROP", 2),
    ]
    assert not disagreements(one, one)


def test_the_most_frequent_verdict_comes_first(bpf: Lab) -> None:
    by_size = bpf.program("""
        r2 = *(u32 *)(r1 + 0)
        r3 = *(u32 *)(r1 + 4)
        r3 -= r2
        r0 = 1
        if r3 > 50 goto +1
        r0 = 2
        exit
    """)
    table = verdict_table(replay_capture(by_size, [bytes(20), bytes(60), bytes(61)]))
    assert [(row.verdict, row.count, row.first.number) for row in table] == [("DROP", 2, 2), ("PASS", 1, 1)]


def test_a_packet_without_output_is_kept_as_it_went_in(bpf: Lab) -> None:
    outcome = replay_capture(bpf.program("r0 = 2\nexit"), [b"\1"])[0]
    assert outcome.refused
    assert annotated([outcome], "p")[0].frame == b"\1"


def test_reading_no_capture_is_an_argument_error(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="No such file"):
        read_capture(tmp_path / "nowhere.pcap")
