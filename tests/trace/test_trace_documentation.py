"""The examples of docs/trace.md run as they stand there."""

from __future__ import annotations

import textwrap
from pathlib import Path

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from bpflab import XDP, Lab
from bpflab.cli.demo import example_directory
from bpflab.obj.prebuilt import object_of

PAGE = (Path(__file__).parents[2] / "docs/trace.md").read_text("utf-8")


def test_the_example_in_python_holds() -> None:
    chapter = PAGE.partition("## In Python")[2].partition("##")[0]
    code = textwrap.dedent("\n".join(line for line in chapter.splitlines() if line.startswith("    ")))
    with Lab("sim") as lab:
        firewall = lab.load(object_of(example_directory() / "firewall.bpf.c"))
        firewall.maps.blocked_ports[23] = 1
        names = {"bpf": lab, "firewall": firewall, "packet": Ether() / IP() / TCP(dport=23), "XDP": XDP}
        exec(compile(code, "docs/trace.md", "exec"), names)
        assert names["trace"].result is not None
