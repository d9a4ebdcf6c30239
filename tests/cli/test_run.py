from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether

from bpflab.cli.demo import example_directory
from bpflab.obj.prebuilt import object_of
from bpflab_packets.pcap import read_frames, write_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

OBJECT = object_of(example_directory() / "firewall.bpf.c")
TELNET = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(dst="192.0.2.1") / TCP(dport=23))
PING = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(dst="192.0.2.1") / ICMP())


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    write_frames(tmp_path / "in.pcap", [TELNET, PING])
    return tmp_path / "in.pcap"


def test_each_packet_of_a_capture_gets_a_verdict(bpflab: Callable[..., Result], capture: Path) -> None:
    result = bpflab("run", OBJECT, "--packets", capture)
    assert result.exit_code == 0
    assert "in.pcap:1" in result.output
    assert "2 packets through firewall on the" in result.output
    assert result.output.rstrip().endswith("1 PASS, 1 TX")


def test_a_map_can_be_written_first(bpflab: Callable[..., Result], capture: Path) -> None:
    result = bpflab("run", OBJECT, "--packets", capture, "--map", "blocked_ports", "23", "1")
    assert result.output.rstrip().endswith("1 DROP, 1 TX")


def test_a_packet_can_be_given_as_hex(bpflab: Callable[..., Result]) -> None:
    assert bpflab("run", OBJECT, "--hex", TELNET.hex(":")).output.rstrip().endswith("1 PASS")


def test_what_came_out_is_written_without_what_was_dropped(
    bpflab: Callable[..., Result], capture: Path, tmp_path: Path
) -> None:
    bpflab("run", OBJECT, "-f", capture, "-m", "blocked_ports", "23", "1", "--write", tmp_path / "out.pcap")
    (reply,) = read_frames(tmp_path / "out.pcap")
    assert Ether(reply)[ICMP].type == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([OBJECT], "No packets were given"),
        ([OBJECT, "--hex", "abc"], "--hex 'abc' are no hex digits in pairs"),
        ([OBJECT, "--hex", "00" * 13], "The packet has 13 bytes"),
        ([OBJECT, "--hex", "00" * 20, "--program", "firewal"], "did you mean firewall?"),
        ([OBJECT, "--hex", "00" * 20, "--map", "blocked_prts", "1", "1"], "did you mean blocked_ports?"),
        ([OBJECT, "--packets", OBJECT], "cannot be read as a capture"),
        (["nowhere.bpf.o", "--hex", "00" * 20], "There is no file nowhere.bpf.o"),
        ([__file__, "--hex", "00" * 20], "test_run.py"),
    ],
)
def test_a_mistake_is_told_in_a_sentence_with_exit_code_2(
    bpflab: Callable[..., Result], arguments: list[str | Path], told: str
) -> None:
    result = bpflab("run", *arguments)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert told in result.output


def test_the_program_may_be_left_out_only_where_there_is_one(bpflab: Callable[..., Result], tmp_path: Path) -> None:
    source = tmp_path / "two.bpf.c"
    source.write_text(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
        'SEC("xdp") int first(struct xdp_md *ctx) { return XDP_PASS; }\n'
        'SEC("xdp") int second(struct xdp_md *ctx) { return XDP_DROP; }\n',
        encoding="utf-8",
    )
    assert "first, second; say which with --program" in bpflab("run", source, "--hex", "00" * 20).output
    assert bpflab("run", source, "-p", "second", "--hex", "00" * 20).output.rstrip().endswith("1 DROP")


@pytest.mark.filterwarnings("default::bpflab.obj.CompileWarning")
def test_the_compilers_warnings_are_shown_as_such(bpflab: Callable[..., Result], tmp_path: Path) -> None:
    source = tmp_path / "unused.bpf.c"
    source.write_text(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
        'SEC("xdp") int unused(struct xdp_md *ctx) { int forgotten; return XDP_PASS; }\n',
        encoding="utf-8",
    )
    result = bpflab("run", source, "--hex", "00" * 20)
    assert result.exit_code == 0
    assert "Warning: " in result.stderr
    assert "unused variable 'forgotten'" in result.stderr
