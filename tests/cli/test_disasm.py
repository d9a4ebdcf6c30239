from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.asm import assemble
from bpflab.cli.demo import example_directory
from bpflab.cli.disasm import listing
from bpflab.obj import read_object
from bpflab.obj.prebuilt import object_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

OBJECT = object_of(example_directory() / "firewall.bpf.c")


def test_functions_maps_and_helpers_are_shown_by_name(bpflab: Callable[..., Result]) -> None:
    output = bpflab("disasm", OBJECT).output
    assert "; xdp: firewall, XDP, " in output
    assert "\nfirewall:\n" in output
    assert "\nextension_at:\n" in output
    assert "map[name:blocked_ports]" in output or "blocked_ports" in output
    assert "call bpf_map_lookup_elem#1" in output


def test_the_lines_of_c_are_shown_when_asked_for(bpflab: Callable[..., Result]) -> None:
    assert "int firewall(struct xdp_md *ctx)" in bpflab("disasm", OBJECT, "--source").output
    assert "int firewall(struct xdp_md *ctx)" not in bpflab("disasm", OBJECT).output


def test_instructions_can_be_numbered_as_the_verifier_does(bpflab: Callable[..., Result]) -> None:
    assert "\n   0: (" in bpflab("disasm", OBJECT, "--numbered").output


def test_a_program_that_is_not_there_is_refused_with_the_near_name(bpflab: Callable[..., Result]) -> None:
    result = bpflab("disasm", OBJECT, "-p", "firewal")
    assert result.exit_code == 2
    assert "did you mean firewall?" in result.output


def test_the_assembler_reads_the_listing_back() -> None:
    program = read_object(OBJECT).programs["firewall"]
    text = listing(program, "little", source=True, numbered=False)
    assert len(assemble(text).insns) == len(program.insns) // 8
