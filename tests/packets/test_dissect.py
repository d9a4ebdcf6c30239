from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN

from bpflab_packets.dissect import dissect, summary


def test_layers_are_found_by_their_types() -> None:
    packet = dissect(bytes(Ether() / Dot1Q(vlan=7) / IPv6() / TCP(dport=23)))
    assert packet[Dot1Q].vlan == 7
    assert packet[TCP].dport == 23


def test_tunnels_are_looked_into() -> None:
    assert dissect(bytes(Ether() / IP() / UDP(dport=4789) / VXLAN() / Ether() / IP(ttl=9)))[VXLAN][IP].ttl == 9


def test_a_packet_may_begin_with_its_ip_header() -> None:
    assert dissect(bytes(IP(ttl=3)), first="ip")[IP].ttl == 3
    assert dissect(bytes(IPv6(hlim=3)), first="ip")[IPv6].hlim == 3


@given(data=st.binary(min_size=14, max_size=200))
def test_no_byte_is_lost(data: bytes) -> None:
    assert bytes(dissect(data)) == data


def test_the_summary_is_one_line() -> None:
    assert summary(bytes(Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=40001, dport=40002))) == (
        "Ether / IP / TCP 192.0.2.1:40001 > 192.0.2.2:40002 S"
    )


def test_importing_the_module_does_not_import_scapy() -> None:
    code = "import sys, bpflab_packets.dissect; sys.exit('scapy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
