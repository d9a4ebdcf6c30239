"""What calls cost on a mock, which decodes and logs each, what a whole test on one costs; calls with a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpflab import Lab
from bpflab.backend.mock import MockBackend

if TYPE_CHECKING:
    from effort import Effort
    from measure import Measure, Work

PACKET = bytes(64)
SCRIPTED = 5


def lookup(lab: Lab) -> Work:
    subject = lab.map("hash", key="u32", value="u64", max_entries=8)
    subject[1] = 1
    return lambda: subject[1]


def update(lab: Lab) -> Work:
    subject = lab.map("hash", key="u32", value="u64", max_entries=8)

    def write() -> None:
        subject[1] = 2

    return write


def run(lab: Lab) -> Work:
    program = lab.program("r0 = 2\nexit")
    return lambda: program.run(PACKET)


OPERATIONS = {"lookup": lookup, "update": update, "run": run}


@pytest.mark.parametrize("name", OPERATIONS)
def test_call_on_a_mock(measure: Measure, effort: Effort, name: str) -> None:
    count = effort.count(kernel=500, sim=500)
    mock = MockBackend()
    with Lab(mock) as lab:
        operation = OPERATIONS[name](lab)

        def repeated() -> None:
            mock.log.clear()
            for _ in range(count):
                operation()

        measure({"mock": repeated}, "mock", group="calls on a mock", subject=name, operations=count)


def test_whole_test_on_a_mock(measure: Measure, effort: Effort) -> None:
    """Open a Lab, create a map, script an answer, write, and ask the log."""
    count = effort.count(kernel=50, sim=50)

    def whole() -> None:
        for _ in range(count):
            mock = MockBackend()
            with Lab(mock) as lab:
                subject = lab.map("hash", key="u32", value="u64", max_entries=8, name="ports")
                mock.on("MAP_LOOKUP_ELEM", map="ports", key=1).answers(value=SCRIPTED)
                found = subject[1]
            mock.check_used()
            assert found == SCRIPTED

    measure({"mock": whole}, "mock", group="calls on a mock", subject="a whole test", operations=count)


@pytest.mark.ways("plain", "fault of another call", "fault by name", "fault by key")
@pytest.mark.parametrize("name", OPERATIONS)
def test_call_with_a_fault_set(measure: Measure, lab: Lab, effort: Effort, name: str, way: str) -> None:
    count = effort.count(kernel=500, sim=20)
    operation = OPERATIONS[name](lab)
    command = {"lookup": "MAP_LOOKUP_ELEM", "update": "MAP_UPDATE_ELEM", "run": "PROG_TEST_RUN"}[name]
    if way == "fault of another call":
        lab.faults.fail("MAP_FREEZE", "EPERM")
    elif way == "fault by name":
        lab.faults.fail(command, "EPERM", after=1 << 30)
    elif way == "fault by key":
        lab.faults.fail(command, "EPERM", where=lambda call: call.flags == 1 << 30)

    def repeated() -> None:
        for _ in range(count):
            operation()

    measure({way: repeated}, way, group="calls with a fault", subject=name, operations=count)
