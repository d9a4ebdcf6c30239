"""`bpflab trace` prints the way a packet takes, and steps along it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from bpflab.cli import main
from bpflab.cli.demo import example_directory
from bpflab.obj.prebuilt import object_of
from bpflab_packets.pcap import write_frames

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

OBJECT = object_of(example_directory() / "firewall.bpf.c")
TELNET = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(dst="192.0.2.1") / TCP(dport=23)
EXPRESSION = "Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02') / IP(dst='192.0.2.1') / TCP(dport=23)"


@pytest.mark.parametrize("form", ["hex", "hex with colons", "capture", "scapy"])
def test_a_packet_is_taken_as_hex_as_a_capture_and_as_an_expression_of_scapy(
    bpflab: Callable[..., Result], tmp_path: Path, form: str
) -> None:
    write_frames(tmp_path / "in.pcap", [bytes(TELNET)])
    packet = {
        "hex": bytes(TELNET).hex(),
        "hex with colons": bytes(TELNET).hex(":"),
        "capture": str(tmp_path / "in.pcap"),
        "scapy": EXPRESSION,
    }[form]
    result = bpflab("trace", OBJECT, "--packet", packet, "--map", "blocked_ports", "23", "1")
    assert result.exit_code == 0
    assert "bpf_map_lookup_elem(blocked_ports, key=23 (tcp.dport)) = &blocked_ports[23], which is 1" in result.output
    assert result.output.endswith("=> XDP.DROP (1), the packet unchanged\n")


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        ("nothing.pcap", "'nothing.pcap' is no file, no hex digits, and no expression of scapy"),
        ("Ether()/IPP()", "'Ether()/IPP()' is no packet of scapy: NameError: name 'IPP' is not defined"),
        ("abc", "--hex 'abc' are no hex digits in pairs"),
    ],
)
def test_what_is_no_packet_is_said_in_a_sentence(bpflab: Callable[..., Result], packet: str, words: str) -> None:
    result = bpflab("trace", OBJECT, "--packet", packet)
    assert result.exit_code == 2
    assert words in result.output


def stepped(*answers: str) -> list[str]:
    """Step through the firewall with these answers; return what was shown."""
    arguments = ["trace", str(OBJECT), "--packet", bytes(TELNET).hex(), "--step"]
    result = CliRunner().invoke(main, arguments, input="".join(f"{each}\n" for each in answers))
    assert result.exit_code == 0
    shown = (line.removeprefix("> ") for line in result.output.splitlines())
    return [line for line in shown if line.strip("> ")]


def test_stepping_shows_one_source_line_at_a_time() -> None:
    lines = stepped("", "", "q")
    assert [line.split()[0] for line in lines[1:4]] == ["493", "495", "123"]
    assert lines[-1].endswith("stopped")


def test_stepping_shows_registers_and_memory_and_instructions() -> None:
    text = "\n".join(stepped("", "", "r", "m r1 8", "m r99", "m 5", "s", "what", "q"))
    assert "r8  = 0x100000100  packet+0" in text
    assert "0x200000000: " in text
    assert "m r99: expected a number such as 0x100000000, or a register such as r1+14" in text
    assert "m 5: out of bounds" in text or "m 5: " in text
    assert "not taken: packet+0 == NULL" in text
    assert "r      show the registers" in text


def test_stepping_goes_on_to_a_line_that_is_asked_for() -> None:
    lines = stepped("b 357", "c", "", "b 357", "c")
    at = next(number for number, line in enumerate(lines) if "__u16 key = bpf_ntohs(port);" in line)
    assert lines[at + 1].split()[0] == "358"
    assert lines[-1] == "=> XDP.PASS (2), the packet unchanged"


def test_stepping_ends_where_the_answers_do() -> None:
    assert stepped("")[-1].endswith("stopped")
