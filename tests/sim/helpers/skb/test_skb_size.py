"""A packet made longer and shorter at either end, within the kernel's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import SkBuff
from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from tests.sim.helpers.skb.conftest import Calls

FRAME = bytes(range(12)) + b"\x08\x06" + bytes(range(100, 140))
LONGEST = 16064
NET = 1
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(length=st.one_of(st.integers(14, 120), st.sampled_from([4096, LONGEST])))
def test_a_tail_is_cut_or_made_of_zeros(calls: Calls, length: int) -> None:
    outcome = calls(("skb_change_tail", length, 0), packet=FRAME)
    assert (outcome.result, outcome.data) == (0, FRAME[:length].ljust(length, b"\0"))
    assert outcome.fields["len"] == length


@QUICK
@given(count=st.one_of(st.integers(0, 300), st.just(LONGEST - len(FRAME))))
def test_a_head_is_made_of_zeros(calls: Calls, count: int) -> None:
    outcome = calls(("skb_change_head", count, 0), packet=FRAME)
    assert (outcome.result, outcome.data) == (0, bytes(count) + FRAME)
    assert outcome.direct == outcome.data[:8]


@pytest.mark.parametrize(
    ("helper", "size", "flags"),
    [
        ("skb_change_tail", 13, 0),
        ("skb_change_tail", LONGEST + 1, 0),
        ("skb_change_tail", 40, 1),
        ("skb_change_tail", 40, 1 << 63),
        ("skb_change_head", LONGEST - len(FRAME) + 1, 0),
        ("skb_change_head", 1 << 31, 0),
        ("skb_change_head", 0xFFFFFFFF, 0),
        ("skb_change_head", 1, 1),
    ],
)
def test_other_sizes_and_any_flag_are_refused(calls: Calls, helper: str, size: int, flags: int) -> None:
    outcome = calls((helper, size, flags), packet=FRAME)
    assert (outcome.result, outcome.data) == (-Errno.EINVAL, FRAME)


@pytest.mark.parametrize("prog_type", ["sched_cls", "lwt_xmit"])
def test_the_network_header_stays_where_it_is_when_a_head_is_made(calls: Calls, prog_type: str) -> None:
    load = ("skb_load_bytes_relative", 0, 8, 8, NET) if prog_type == "sched_cls" else ("skb_load_bytes", 20, 8, 8)
    assert calls(("skb_change_head", 20, 0), load, packet=FRAME, prog_type=prog_type).memory[1] == FRAME[14:22]


@pytest.mark.parametrize(
    ("count", "least"), [(50, 64), (64, 78), (65, 79), (100, 35), (127, 62), (128, 63), (200, 135)]
)
def test_a_grown_buffer_moves_the_least_length_as_in_the_kernel(calls: Calls, count: int, least: int) -> None:
    # The transport header is not set; the kernel moves it all the same when it copies the buffer.
    head = ("skb_change_head", count, 0)
    answers = [calls(head, ("skb_change_tail", length, 0), packet=FRAME).result for length in (least - 1, least)]
    assert answers == [-Errno.EINVAL, 0]


def test_a_packet_of_segments_is_none_any_more_once_its_tail_changed(calls: Calls) -> None:
    context = SkBuff(gso_size=100, gso_segs=3)
    before = calls(packet=FRAME, ctx=context).fields
    after = calls(("skb_change_tail", len(FRAME), 0), packet=FRAME, ctx=context).fields
    assert (before["gso_size"], before["gso_segs"]) == (100, 3)
    assert (after["gso_size"], after["gso_segs"]) == (0, 0)


@pytest.mark.parametrize(("count", "answer"), [(20_000, 0), (1 << 23, -Errno.ENOMEM)])
def test_a_packet_of_segments_may_have_a_longer_head(calls: Calls, count: int, answer: int) -> None:
    outcome = calls(("skb_change_head", count, 0), packet=FRAME, ctx=SkBuff(gso_size=100))
    assert outcome.result == answer
    assert outcome.fields["len"] == len(FRAME) + (0 if answer else count)
