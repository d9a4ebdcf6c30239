"""Where a program is: pinned, found again, attached, shown, gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.commands import Command
from bpflab.asm import W as WORD
from bpflab.asm import call, exit_, label, ld_func, ldx, mov, r0, r1, r2, r3, r4
from bpflab.errors import PinError
from bpflab.obj.prebuilt import object_of
from bpflab.programs.program import Program

PASS = [mov(r0, 2), exit_()]
LOOPBACK = 1


@pytest.fixture
def program(bpf: Lab) -> Program:
    return bpf.program(PASS, type="xdp", name="kept")


def test_a_program_is_pinned_until_its_pin_goes(program: Program) -> None:
    assert not program.pinned
    program.pin("kept")
    assert program.pinned
    program.unpin()
    assert not program.pinned


def test_a_pinned_program_outlives_its_descriptor(program: Program) -> None:
    program.pin("kept")
    program.close()
    assert program.exists


def test_a_program_that_nothing_holds_is_gone(bpf: Lab, program: Program) -> None:
    other = bpf.program(PASS, type="xdp")
    program.close()
    assert (program.exists, other.exists) == (False, True)


def test_a_pin_that_is_taken_is_explained(program: Program) -> None:
    program.pin("kept")
    with pytest.raises(PinError, match="pinned there already"):
        program.pin("kept")


@pytest.fixture
def linked(bpf: Lab, program: Program) -> Iterator[Program]:
    link = bpf.call(
        Command.LINK_CREATE, prog_fd=program.fileno(), target_ifindex=LOOPBACK, attach_type=int(AttachType.XDP)
    ).result
    yield program
    bpf.backend.close(link)


def test_a_program_held_by_a_link_is_attached(bpf: Lab, linked: Program) -> None:
    assert linked.attached
    assert not bpf.program(PASS, type="xdp", name="other").attached


def test_a_loaded_program_is_shown_as_text(bpf: Lab, program: Program) -> None:
    shown = program.disassemble()
    assert [line.strip() for line in shown.splitlines()] == ["0: (b7) r0 = 2", "1: (95) exit"]
    rewritten = bpf.program([ldx(WORD, r0, r1, 12), exit_()], type="xdp").disassemble()
    assert rewritten.splitlines()[-1].endswith("exit")


def test_a_program_of_an_object_is_shown_with_its_source(bpf: Lab) -> None:
    example = object_of(Path(__file__).parents[2] / "examples/xdp_firewall/firewall.bpf.c")
    firewall = bpf.load(example).programs.firewall
    assert "is_vlan(" in firewall.disassemble(loaded=True)
    assert "exit" in firewall.disassemble()


def test_an_assembled_program_may_take_the_address_of_its_function(bpf: Lab) -> None:
    code = [
        *[mov(r1, 5), ld_func(r2, "body"), mov(r3, 0), mov(r4, 0), call("loop"), exit_()],
        *[label("body"), mov(r0, 0), exit_()],
    ]
    assert bpf.program(code, type="xdp").run(bytes(64)).retval == 5
