from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bpflab import Lab
from bpflab.errors import ArgumentError, FaultMissedError, NotSupportedError, UnknownHelperError
from bpflab.programs.program import Program

WRITE = """
    *(u32 *)(r10 - 4) = 1
    r1 = map[name:ports]
    r2 = r10
    r2 += -4
    r3 = r10
    r3 += -4
    r4 = 0
    call map_update_elem
    exit
"""
FOUND = """
    *(u32 *)(r10 - 4) = 1
    r1 = map[name:ports]
    r2 = r10
    r2 += -4
    call map_lookup_elem
    if r0 == 0 goto missing
    r0 = 1
missing:
    exit
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("sim") as opened:
        opened.map("hash", key="u32", value="u32", max_entries=4, name="ports")
        yield opened


@pytest.fixture
def write(lab: Lab) -> Program:
    return lab.program(WRITE)


def results(program: Program, count: int) -> list[int]:
    return [program.run(bytes(64)).retval for _ in range(count)]


FAILED = -errno.ENOMEM & 0xFFFFFFFF


def test_the_third_call_of_a_helper_fails(lab: Lab, write: Program) -> None:
    with lab.faults.helper("map_update_elem", returns=-errno.ENOMEM, call=3) as fault:
        assert results(write, 4) == [0, 0, FAILED, 0]
    assert (fault.hits, fault.seen) == (1, 4)
    assert results(write, 3) == [0, 0, 0]


@pytest.mark.parametrize("returns", ["ENOMEM", "-ENOMEM", -12])
def test_an_error_is_given_by_name_or_number(lab: Lab, write: Program, returns: str | int) -> None:
    lab.faults.helper("bpf_map_update_elem", returns=returns)
    assert results(write, 1) == [FAILED]


def test_a_helper_that_failed_did_nothing(lab: Lab, write: Program) -> None:
    with lab.faults.helper("map_update_elem", returns="ENOMEM"):
        results(write, 1)
    assert len(lab.maps["ports"]) == 0


def test_a_lookup_finds_nothing(lab: Lab) -> None:
    found = lab.program(FOUND)
    lab.maps["ports"][1] = 1
    with lab.faults.helper("map_lookup_elem", returns=0, times=1):
        assert results(found, 2) == [0, 1]


def test_a_fault_is_about_one_map(lab: Lab) -> None:
    lab.map("hash", key="u32", value="u32", max_entries=4, name="other")
    programs = [lab.program(WRITE), lab.program(WRITE.replace("ports", "other"))]
    lab.faults.helper("map_update_elem", returns="ENOMEM", map="other")
    assert [program.run(bytes(64)).retval for program in programs] == [0, FAILED]


def test_chance_is_the_same_for_the_same_seed(lab: Lab, write: Program) -> None:
    rounds = []
    for _ in range(2):
        with lab.faults.helper("map_update_elem", returns="ENOMEM", probability=0.5, seed=3):
            rounds.append(results(write, 20))
    assert rounds[0] == rounds[1]
    assert set(rounds[0]) == {0, FAILED}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_faults_of_one_helper_are_removed_in_any_order(lab: Lab, write: Program, order: tuple[int, int]) -> None:
    faults = [lab.faults.helper("map_update_elem", returns=name, times=1) for name in ("ENOMEM", "EBUSY")]
    assert results(write, 3) == [-errno.EBUSY & 0xFFFFFFFF, FAILED, 0]
    for index in order:
        faults[index].remove()
    assert lab.world.helpers == {}
    assert results(write, 1) == [0]


def test_a_helper_that_the_test_replaced_is_back_afterwards(lab: Lab, write: Program) -> None:
    def own(*_arguments: object) -> int:
        return 7

    lab.world.helpers["map_update_elem"] = own
    with lab.faults.helper("map_update_elem", returns="ENOMEM", times=1):
        assert results(write, 2) == [FAILED, 7]
    assert lab.world.helpers == {"map_update_elem": own}


def test_the_end_of_a_scope_restores_helpers(lab: Lab, write: Program) -> None:
    with lab.scope():
        lab.faults.helper("map_update_elem", returns="ENOMEM")
    assert results(write, 1) == [0]
    assert lab.world.helpers == {}


def test_a_helper_that_was_never_called_is_told(lab: Lab) -> None:
    with (
        pytest.raises(FaultMissedError, match="bpf_map_update_elem returns -12 once never struck"),
        lab.faults.helper("map_update_elem", returns="ENOMEM", times=1, expected=True),
    ):
        pass


MISTAKES: list[tuple[Any, ...]] = [
    (lambda faults: faults.helper("map_updat_elem", returns=0), UnknownHelperError, "map_update_elem"),
    (lambda faults: faults.helper("map_update_elem", returns="ENOMEMM"), ArgumentError, "did you mean ENOMEM"),
    (lambda faults: faults.helper("map_lookup_elem", returns="ENOMEM"), ArgumentError, r"returns 0 \(NULL\)"),
    (lambda faults: faults.helper("map_update_elem", returns=1.5), ArgumentError, "returns is 1.5"),
    (lambda faults: faults.helper("map_update_elem", returns=0, call=0), ArgumentError, "call is 0"),
    (lambda faults: faults.helper("map_update_elem", returns=0, call=2, times=3), ArgumentError, "not both"),
    (lambda faults: faults.helper("map_update_elem", returns=0, map=4), ArgumentError, "map is 4"),
]


@pytest.mark.parametrize(("mistake", "error", "said"), MISTAKES, ids=[row[-1] for row in MISTAKES])
def test_a_mistake_is_said_where_it_is_made(
    lab: Lab, mistake: Callable[[Any], object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        mistake(lab.faults)


def test_the_helpers_of_other_backends_cannot_fail() -> None:
    with Lab("mock") as lab, pytest.raises(NotSupportedError, match="Run the test on the simulated kernel"):
        lab.faults.helper("map_update_elem", returns="ENOMEM")


@pytest.mark.bpf(backend="kernel")
def test_the_helpers_of_the_running_kernel_cannot_fail(bpf: Lab) -> None:
    with pytest.raises(NotSupportedError, match="'kernel', where no helper is ours"):
        bpf.faults.helper("map_update_elem", returns="ENOMEM")
