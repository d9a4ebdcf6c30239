"""A test sets what is around a program of a simulated kernel through its Lab, and only there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bpflab import Lab
from bpflab.abi.flags import ProgFlag
from bpflab.backend.select import kernel_refusal
from bpflab.backend.wrap import WrappedBackend
from bpflab.errors import ArgumentError, NotSupportedError
from bpflab.programs.verifier import VerifierError

PAGE = Path(__file__).parents[2] / "docs" / "simulator.md"
UNSIMULATED = """
r1 = 0
*(u64 *)(r10 - 8) = r1
r2 = r10
r2 += -8
r3 = 8
call bpf_sys_bpf
exit
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


@pytest.mark.parametrize("name", ["world", "clock", "random", "cpu"])
def test_no_other_backend_has_a_world_to_set(name: str) -> None:
    if refusal := kernel_refusal():
        pytest.skip(refusal)
    with Lab("kernel") as lab:
        with pytest.raises(NotSupportedError, match=r"'kernel' has no .*--bpf=sim"):
            getattr(lab, name)
        with pytest.raises(NotSupportedError, match=r"'kernel' has no CPU"):
            lab.cpu = 0


def test_the_world_is_reached_through_a_backend_that_wraps_the_simulated_kernels(lab: Lab) -> None:
    with Lab(WrappedBackend(lab.backend)) as outer:
        outer.cpu = 3
        assert (outer.world, lab.cpu) == (lab.world, 3)


@pytest.mark.parametrize("number", [-1, 4, 1 << 40])
def test_a_cpu_is_one_of_the_machines(lab: Lab, number: int) -> None:
    with pytest.raises(ArgumentError, match=f"CPU {number} was chosen; the simulated machine has 0 to 3"):
        lab.cpu = number
    assert lab.cpu == 0


def test_a_replaced_helper_answers_until_it_is_given_back(lab: Lab) -> None:
    program = lab.program("r1 = 5\nr2 = 3\ncall bpf_redirect\nexit")
    given: list[tuple[int, ...]] = []

    def redirect(_env: object, *arguments: int) -> int:
        given.append(arguments)
        return 77

    lab.world.helpers["redirect"] = redirect
    assert program.run(bytes(64)).retval == 77
    assert given == [(5, 3)]
    del lab.world.helpers["redirect"]
    assert program.run(bytes(64)).retval != 77


def test_a_helper_that_is_not_simulated_can_be_given_by_the_test(lab: Lab) -> None:
    with pytest.raises(VerifierError, match="cannot use helper bpf_sys_bpf"):
        lab.program(UNSIMULATED, type="syscall", flags=ProgFlag.SLEEPABLE)
    lab.world.helpers["sys_bpf"] = lambda _env, *_: 9
    assert lab.program(UNSIMULATED, type="syscall", flags=ProgFlag.SLEEPABLE).run().retval == 9


def test_the_examples_of_the_page_run_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```(python|text)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    for kind, block in blocks:
        if kind == "python":
            exec(compile(block, str(PAGE), "exec"), names)
        else:
            assert capsys.readouterr().out == block
    assert names["lab"].closed
