from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bpflab import XDP, Lab, VerifierError
from bpflab.abi.commands import Command
from bpflab.backend.calls import Call
from bpflab.backend.mock import MockBackend
from bpflab.errors import (
    ArgumentError,
    MapBusyError,
    MapFullError,
    MapKeyError,
    SyscallError,
    UnscriptedCallError,
    UnusedAnswersError,
)
from bpflab.maps.base import Map

LITTLE = sys.byteorder == "little"
PASS = "r0 = 2\nexit"


@pytest.fixture
def mock() -> MockBackend:
    return MockBackend()


@pytest.fixture
def lab(mock: MockBackend) -> Iterator[Lab]:
    with Lab(mock) as opened:
        yield opened


@pytest.fixture
def ports(lab: Lab) -> Map[int, int]:
    return lab.map("hash", key="u32", value="u32", max_entries=8, name="ports")


def test_answers_are_used_in_their_order_and_then_the_default_answers(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_LOOKUP_ELEM").answers(value=5).answers(value=6, times=2).fails("ENOENT")
    ports[1] = 9
    assert [ports.get(1) for _ in range(5)] == [5, 6, 6, None, 9]


def test_an_error_is_raised_as_the_kernel_would_have_it_raised(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_UPDATE_ELEM").fails("E2BIG")
    with pytest.raises(MapFullError):
        ports[1] = 1


def test_answers_without_arguments_is_the_default_answer(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_UPDATE_ELEM").answers(times=2).fails("E2BIG")
    ports.update({1: 1, 2: 2})
    with pytest.raises(MapFullError):
        ports[3] = 3
    assert dict(ports.items()) == {1: 1, 2: 2}


def test_times_none_answers_every_call(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_LOOKUP_ELEM").answers(value=7, times=None)
    assert [ports[key] for key in range(20)] == [7] * 20


def test_the_first_script_that_matches_answers(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_LOOKUP_ELEM", key=1).answers(value=10, times=None)
    mock.on("MAP_LOOKUP_ELEM").answers(value=20, times=None)
    assert (ports[1], ports[2]) == (10, 20)


@pytest.mark.parametrize(
    "fields",
    [
        {"key": 7},
        {"key": (7).to_bytes(4, sys.byteorder)},
        {"key": lambda key: int.from_bytes(key, sys.byteorder) == 7},
        {"map": "ports", "key": 7},
        {"where": lambda call: int.from_bytes(call.key, sys.byteorder) == 7 and call.map == "ports"},
        {"map_fd": lambda fd: fd >= 1000, "key": 7},
    ],
    ids=["integer", "bytes", "function", "name of the map", "function of the call", "descriptor"],
)
def test_calls_are_matched_on_decoded_fields(mock: MockBackend, ports: Map[int, int], fields: dict[str, Any]) -> None:
    mock.on("MAP_UPDATE_ELEM", **fields).fails("EPERM")
    ports[6] = 1
    with pytest.raises(Exception, match="EPERM"):
        ports[7] = 1


def test_a_pattern_stands_for_several_commands(mock: MockBackend, lab: Lab) -> None:
    mock.on("MAP_*").fails("EPERM", times=None)
    with pytest.raises(SyscallError):
        lab.map("array", value="u32", max_entries=1)
    lab.program(PASS)


def test_a_program_answers_the_verdict_and_packet_that_a_test_gives_it(mock: MockBackend, lab: Lab) -> None:
    mock.on("PROG_TEST_RUN", program="gate").answers(retval=XDP.DROP, data_out=b"cut short", duration=42)
    result = lab.program(PASS, name="gate").run(bytes(64))
    assert (result.action, result.data, result.duration) == (XDP.DROP, b"cut short", 42)


def test_a_function_answers_from_the_fields_and_writes_others(mock: MockBackend, lab: Lab) -> None:
    def drops_the_long(call: Call) -> int | None:
        call.fill("retval", XDP.DROP if len(call.data_in) > 100 else XDP.PASS)
        call.fill("data_out", call.data_in[::-1])
        return None

    mock.on("PROG_TEST_RUN").does(drops_the_long)
    gate = lab.program(PASS)
    assert gate.run(bytes(200)).action is XDP.DROP
    assert gate.run(bytes(13) + b"x").data[0] == ord("x")


def test_a_function_refuses_with_a_negative_errno(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_DELETE_ELEM").does(lambda _call: -errno.EBUSY)
    with pytest.raises(MapBusyError):
        del ports[1]


def test_a_refused_program_has_the_log_of_the_script(mock: MockBackend, lab: Lab) -> None:
    mock.on("PROG_LOAD", prog_name="bad").fails("EACCES", log_buf="R1 invalid mem access 'scalar'\n")
    with pytest.raises(VerifierError, match="R1 invalid mem access 'scalar'"):
        lab.program(PASS, name="bad")
    assert lab.program(PASS, name="bad").name == "bad"
    mock.check_used()


def test_a_scripted_descriptor_stands_for_what_was_created(mock: MockBackend, lab: Lab) -> None:
    mock.on("MAP_CREATE").answers(7)
    made = lab.map("array", value="u32", max_entries=3, name="counts")
    assert (made.fileno(), made.info.name, made[2]) == (7, "counts", 0)


def test_transient_errors_are_tried_again_as_on_a_kernel(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_UPDATE_ELEM").fails("EINTR", times=2).answers()
    ports[1] = 1
    assert [call.errno for call in mock.calls("MAP_UPDATE_ELEM")] == [errno.EINTR, errno.EINTR, 0]


def test_the_calls_beside_bpf_are_scripted_too(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("poll").answers(ready=[3])
    mock.on("mmap", map="ports").answers(memory=bytearray(b"shared"))
    mock.on("ioctl").fails("ENOTTY")
    assert mock.poll([3, 4], None) == [3]
    assert bytes(memoryview(mock.mmap(ports.fileno(), 6, writable=True))) == b"shared"
    with pytest.raises(OSError, match="ioctl"):
        mock.ioctl(3, 1, 0)


def test_strict_refuses_an_unscripted_call_and_names_it_its_fields_and_the_script(
    mock: MockBackend, ports: Map[int, int]
) -> None:
    mock.strict = True
    mock.on("MAP_UPDATE_ELEM", key=1).answers()
    ports[1] = 1
    with pytest.raises(UnscriptedCallError) as caught:
        ports[2] = 0x01020304
    text = str(caught.value)
    assert f"MAP_UPDATE_ELEM(map_fd=1000, key={(2).to_bytes(4, sys.byteorder)!r}, value=" in text
    assert "of map 'ports'" in text
    assert "<on MAP_UPDATE_ELEM(key=1).answers(), once>" in text


def test_unused_answers_are_named_with_what_was_called(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_LOOKUP_ELEM", key=3).answers(value=1, times=2)
    mock.on("MAP_DELETE_ELEM").fails("EPERM", times=None)
    assert ports[3] == 1
    with pytest.raises(UnusedAnswersError) as caught:
        mock.check_used()
    assert str(caught.value) == (
        "Scripted answers were not used: MAP_LOOKUP_ELEM(key=3).answers(value=1), 2 times, used 1 times; "
        "MAP_DELETE_ELEM.fails(EPERM), always, used 0 times. The calls that were made: MAP_CREATE, MAP_LOOKUP_ELEM."
    )


def test_nothing_is_unused_when_each_answer_was_asked_for(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_LOOKUP_ELEM").fails("ENOENT", times=None)
    with pytest.raises(MapKeyError):
        ports[1]
    mock.check_used()
    assert mock.unused() == []


MISTAKES: list[tuple[Any, ...]] = [
    (lambda mock: mock.on("MAP_UPDAT_ELEM"), "no call 'MAP_UPDAT_ELEM'; did you mean MAP_UPDATE_ELEM"),
    (lambda mock: mock.on(5.0), "5.0 names no call"),
    (lambda mock: mock.on("MAP_UPDATE_ELEM", kee=1), "no field 'kee' in MAP_UPDATE_ELEM; did you mean key"),
    (lambda mock: mock.on("MAP_CREATE", where=3), "where is 3; expected a function"),
    (lambda mock: mock.on("MAP_CREATE").fails("ENOMEMM"), "no error 'ENOMEMM'; did you mean ENOMEM"),
    (lambda mock: mock.on("MAP_CREATE").fails(0), "0 is no error number"),
    (lambda mock: mock.on("MAP_CREATE").answers(-12), "result is -12"),
    (lambda mock: mock.on("MAP_CREATE").answers(times=0), "times is 0"),
    (lambda mock: mock.on("MAP_LOOKUP_ELEM").answers(valeu=1), "no field 'valeu'"),
    (lambda mock: mock.on("MAP_LOOKUP_ELEM").does(4), "expected a function of the call"),
    (lambda mock: mock.calls("NONE"), "no call 'NONE'"),
]


@pytest.mark.parametrize(("mistake", "said"), MISTAKES, ids=[row[-1] for row in MISTAKES])
def test_a_mistake_in_a_script_is_said_where_it_is_made(
    mock: MockBackend, mistake: Callable[[MockBackend], object], said: str
) -> None:
    with pytest.raises(ArgumentError, match=said):
        mistake(mock)


def test_a_value_that_does_not_fit_its_buffer_is_said(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_LOOKUP_ELEM").answers(value=bytes(5))
    with pytest.raises(ArgumentError, match=r"MAP_LOOKUP_ELEM\.value has room for 4 bytes; 5 were to be written"):
        ports[1]


def test_a_value_that_is_short_is_filled_up_with_zeros(mock: MockBackend, ports: Map[int, int]) -> None:
    mock.on("MAP_LOOKUP_ELEM").answers(value=b"\xff\xff\xff\xff").answers(value=b"\1" if LITTLE else b"\0\0\0\1")
    assert [ports[1], ports[1]] == [0xFFFFFFFF, 1]


def test_names_of_commands_may_have_their_prefix_and_be_members(mock: MockBackend, lab: Lab) -> None:
    lab.map("array", value="u32", max_entries=1)
    made = mock.calls("MAP_CREATE")
    assert made == mock.calls(Command.MAP_CREATE) == mock.calls("bpf_map_create") == mock.log
