"""Bytes of a packet: read, written and made linear by helpers, as the kernel does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.abi.errno import Errno

if TYPE_CHECKING:
    from tests.sim.helpers.skb.conftest import Calls

FRAME = bytes(range(12)) + b"\x08\x06" + bytes(range(100, 140))
NETWORK = FRAME[14:]
MAC, NET = 0, 1
RECOMPUTE_CSUM, INVALIDATE_HASH = 1, 2
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(offset=st.integers(0, 60), size=st.integers(1, 40))
def test_loaded_bytes_are_the_packets_or_zeros_with_efault(calls: Calls, offset: int, size: int) -> None:
    outcome = calls(("skb_load_bytes", offset, size, size), packet=FRAME)
    fits = offset + size <= len(FRAME)
    assert outcome.result == (0 if fits else -Errno.EFAULT)
    assert outcome.memory[0] == (FRAME[offset : offset + size] if fits else bytes(size))


@pytest.mark.parametrize("prog_type", ["socket_filter", "cgroup_skb", "lwt_in", "lwt_out", "lwt_xmit"])
def test_offsets_count_from_the_network_header_where_programs_see_no_mac(calls: Calls, prog_type: str) -> None:
    assert calls(("skb_load_bytes", 0, 8, 8), packet=FRAME, prog_type=prog_type).memory == (NETWORK[:8],)


@pytest.mark.parametrize("offset", [1 << 31, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFF0])
def test_offsets_are_not_negative(calls: Calls, offset: int) -> None:
    assert calls(("skb_load_bytes", offset, 4, 4), packet=FRAME).result == -Errno.EFAULT


@pytest.mark.parametrize("prog_type", ["sched_cls", "cgroup_skb", "socket_filter"])
@pytest.mark.parametrize(
    ("start", "offset", "found"),
    [
        (MAC, 0, FRAME[:8]),
        (MAC, 46, FRAME[46:]),
        (MAC, 47, None),
        (NET, 0, NETWORK[:8]),
        (NET, 32, NETWORK[32:]),
        (NET, 33, None),
        (NET, 0x10000, None),
        (2, 0, None),
    ],
)
def test_relative_loads_count_from_a_header(
    calls: Calls, prog_type: str, start: int, offset: int, found: bytes | None
) -> None:
    outcome = calls(("skb_load_bytes_relative", offset, 8, 8, start), packet=FRAME, prog_type=prog_type)
    assert (outcome.result, outcome.memory[0]) == ((0, found) if found else (-Errno.EFAULT, bytes(8)))


@QUICK
@given(offset=st.integers(0, 60), content=st.binary(min_size=1, max_size=40))
def test_stored_bytes_replace_the_packets_if_they_fit(calls: Calls, offset: int, content: bytes) -> None:
    outcome = calls(("skb_store_bytes", offset, content, len(content), 0), packet=FRAME)
    fits = offset + len(content) <= len(FRAME)
    assert outcome.result == (0 if fits else -Errno.EFAULT)
    assert outcome.data == (FRAME[:offset] + content + FRAME[offset + len(content) :] if fits else FRAME)


@pytest.mark.parametrize("flags", [4, 8, 1 << 32, 1 << 63])
def test_unknown_flags_of_a_store_are_refused_before_anything_else(calls: Calls, flags: int) -> None:
    assert calls(("skb_store_bytes", 99, b"1234", 4, flags), packet=FRAME).result == -Errno.EINVAL


def test_a_store_that_invalidates_the_hash_forgets_it(calls: Calls) -> None:
    kept = calls(("set_hash", 7), ("skb_store_bytes", 0, b"1", 1, RECOMPUTE_CSUM), packet=FRAME)
    gone = calls(("set_hash", 7), ("skb_store_bytes", 0, b"1", 1, INVALIDATE_HASH), packet=FRAME)
    assert (kept.fields["hash"], gone.fields["hash"]) == (7, 0)


@pytest.mark.parametrize(("length", "answer"), [(0, 0), (1, 0), (54, 0), (55, -Errno.ENOMEM), (1 << 31, -Errno.ENOMEM)])
def test_no_more_is_made_linear_than_there_is(calls: Calls, length: int, answer: int) -> None:
    assert calls(("skb_pull_data", length), packet=FRAME).result == answer
