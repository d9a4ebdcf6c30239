"""Dynptrs of packets are made, cut, looked into and copied as the running kernel does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import XdpMd

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BORDERS = (0, 1, 14, 48, 49, 60, 64, 65, 0xFFFF, 0x10000, (1 << 32) - 1)
PLACES = st.one_of(st.integers(0, 70), st.sampled_from(BORDERS))
ORDERS = st.fixed_dictionaries(
    {
        "flags": st.sampled_from([0, 0, 0, 0, 1, 1 << 31]),
        "start": PLACES,
        "end": PLACES,
        "offset": PLACES,
        "other": PLACES,
        "size": PLACES,
        "value": st.integers(0, 255),
    }
)
PROGRAMS = ("of_frame", "of_packet", "of_read_only_packet", "of_metadata")
EMPTY = {"flags": 0, "start": 0, "end": 0, "offset": 0, "other": 0, "size": 0, "value": 1}
LONG = bytes(range(256)) * 36


@pytest.fixture(scope="module")
def twins(load_twins: Callable[[Path], Any]) -> Any:
    return load_twins(Path(__file__).with_name("dynptr_programs.bpf.c"))


@pytest.mark.parametrize("program", PROGRAMS)
@SETTINGS
@given(order=ORDERS, size=st.integers(14, 80))
@example(order=EMPTY, size=64)
@example(order=EMPTY | {"end": 64, "offset": 48, "other": 48, "size": 16}, size=64)
@example(order=EMPTY | {"end": 64, "offset": 48, "other": 49, "size": 16}, size=64)
@example(order=EMPTY | {"start": 1, "end": 0}, size=64)
@example(order=EMPTY | {"end": 65}, size=64)
def test_work_on_a_dynptr_goes_as_in_the_kernel(twins: Any, program: str, order: dict[str, int], size: int) -> None:
    twins.agree(program, bytes(range(size)), order=order)


@SETTINGS
@given(order=ORDERS, at=st.sampled_from([3000, 3504, 3520, 4090, 7600]))
@example(order=EMPTY | {"end": 9000, "size": 64}, at=3520)
def test_parts_of_a_frame_are_looked_at_in_place_or_copied(twins: Any, order: dict[str, int], at: int) -> None:
    moved = {name: (at + order[name]) % (1 << 32) for name in ("offset", "end")}
    twins.agree("of_frame", LONG, order=order | moved)


@SETTINGS
@given(order=ORDERS, meta=st.sampled_from([0, 4, 16, 32]))
@example(order=EMPTY | {"end": 16, "size": 16, "offset": 0}, meta=32)
def test_metadata_of_a_packet_has_a_dynptr(twins: Any, order: dict[str, int], meta: int) -> None:
    twins.agree("of_frame", bytes(range(96)), XdpMd(data=meta, data_end=96), order=order)


@SETTINGS
@given(
    length=st.sampled_from([64, 3520, 4096, 9000]),
    size=st.one_of(st.integers(0, 4200), st.sampled_from([64, 3520, 3521, 3776, 3800, 9000, 9001])),
    offset=st.integers(0, 3760),
    meta=st.sampled_from([0, 32]),
)
@example(length=9000, size=3521, offset=3505, meta=0)
@example(length=9000, size=3736, offset=3720, meta=0)
@example(length=9000, size=3737, offset=3720, meta=0)
@example(length=3530, size=3530, offset=3510, meta=0)
def test_fragments_are_pulled_into_the_linear_part(twins: Any, length: int, size: int, offset: int, meta: int) -> None:
    order = EMPTY | {"size": size, "offset": offset}
    linear = min(length, 3520)
    ctx = XdpMd(data=meta, data_end=linear) if meta else None
    twins.agree("pulls", LONG[:length], ctx, order=order)
