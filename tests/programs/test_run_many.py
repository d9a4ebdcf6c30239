"""`run_many`: the same answers as a loop of `run`, in columns."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import TC, XDP, Lab, XdpMd
from bpflab.errors import ArgumentError, InputError

BY_LENGTH = """
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r3 -= r2
    r0 = 2
    if r3 < 20 goto out
    r0 = 1
    if r3 < 40 goto out
    r0 = 77
    out: exit
"""
"""PASS below 20 bytes, DROP below 40, else a number that is no verdict."""

SHORTER = """
    r2 = -4
    call xdp_adjust_tail
    r0 = 2
    exit
"""
PACKETS = st.lists(st.binary(min_size=14, max_size=60) | st.just(bytes(3900)), max_size=20)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(packets=PACKETS, outputs=st.booleans())
def test_the_columns_are_what_single_runs_answer(bpf: Lab, packets: list[bytes], outputs: bool) -> None:
    with bpf.scope():
        program = bpf.program(SHORTER)
        single = [program.run(packet) for packet in packets]
        columns = program.run_many(packets, outputs=outputs)
    assert list(columns.retvals) == [result.retval for result in single]
    assert list(columns.lengths) == [len(result.data) for result in single]
    assert columns.data == ([result.data for result in single] if outputs else None)


def test_verdicts_are_counted(bpf: Lab) -> None:
    columns = bpf.program(BY_LENGTH, name="by_length").run_many([bytes(size) for size in (14, 20, 30, 40)])
    assert columns.actions == [XDP.PASS, XDP.DROP, XDP.DROP, 77]
    assert columns.counts() == Counter({XDP.PASS: 1, XDP.DROP: 2, 77: 1})
    assert repr(columns) == "<4 runs of by_length: 1 PASS, 2 DROP, 1 77>"


def test_more_packets_than_one_buffer_holds_keep_their_order(bpf: Lab) -> None:
    sizes = [14 + number % 40 for number in range(5000)]
    columns = bpf.program(BY_LENGTH).run_many(bytes(size) for size in sizes)
    assert list(columns.lengths) == sizes


def test_negative_verdicts_of_tc_are_read_as_such(bpf: Lab) -> None:
    columns = bpf.program("r0 = -1\nexit", type="sched_cls").run_many([bytes(60)])
    assert columns.actions == [TC.UNSPEC]


def test_a_context_goes_into_each_run(bpf: Lab) -> None:
    program = bpf.program("r0 = *(u32 *)(r1 + 12)\nexit")
    assert list(program.run_many([bytes(60)] * 3, XdpMd(ingress_ifindex=1)).retvals) == [1, 1, 1]


def test_a_row_is_a_result_when_outputs_were_kept(bpf: Lab) -> None:
    program = bpf.program(SHORTER)
    assert [len(result.data) for result in program.run_many([bytes(60)], outputs=True)] == [56]
    with pytest.raises(ArgumentError, match="outputs=True"):
        program.run_many([bytes(60)])[0]


def test_a_packet_that_cannot_be_run_is_named_by_its_number(bpf: Lab) -> None:
    with pytest.raises(InputError) as caught:
        bpf.program(BY_LENGTH).run_many([bytes(60), bytes(60), bytes(3)])
    assert caught.value.__notes__ == ["It was packet 2 of those given to run_many, counted from 0."]


@pytest.mark.parametrize("packets", [5, [5], b"abc"])
def test_what_is_no_packet_is_refused(bpf: Lab, packets: object) -> None:
    with pytest.raises((ArgumentError, InputError), match="expected"):
        bpf.program(BY_LENGTH).run_many(packets)  # type: ignore[arg-type]  # that is the mistake


def test_columns_as_numpy_share_their_memory(bpf: Lab) -> None:
    pytest.importorskip("numpy")
    found = bpf.program(BY_LENGTH).run_many([bytes(14), bytes(30)]).numpy()
    assert found["retval"].tolist() == [2, 1]
    assert found["length"].tolist() == [14, 30]
    assert set(found) == {"retval", "length", "duration"}
