"""The kernel's structures behind contexts say what those of the running kernel say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import SkBuff, XdpMd

SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def twins(load_twins: Callable[[Path], Any]) -> Any:
    return load_twins(Path(__file__).with_name("cast_programs.bpf.c"))


@SETTINGS
@given(packet=st.binary(min_size=40, max_size=200), meta=st.sampled_from([0, 4, 32]))
def test_a_frame_has_its_structure(twins: Any, packet: bytes, meta: int) -> None:
    twins.agree("of_frame", packet, XdpMd(data=meta, data_end=len(packet)))


@SETTINGS
@given(packet=st.binary(min_size=34, max_size=200), mark=st.integers(0, 1 << 31), priority=st.integers(0, 9))
def test_a_packet_has_its_structure(twins: Any, packet: bytes, mark: int, priority: int) -> None:
    twins.agree("of_packet", packet, SkBuff(mark=mark, priority=priority))
