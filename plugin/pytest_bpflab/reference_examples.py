"""An example for each fixture, as the reference page shows it; a test runs them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES: Final[Mapping[str, str]] = {
    "bpf": """\
from bpflab import XDP


def test_every_packet_passes(bpf):
    program = bpf.program("r0 = 2\\nexit", type="xdp", name="gate")
    assert program.run(bytes(60)).action is XDP.PASS
""",
    "bpf_backend": """\
import pytest
from bpflab import Lab


@pytest.fixture(scope="class")
def lab(bpf_backend):
    with Lab(bpf_backend) as lab:
        yield lab


class TestCounts:
    def test_a_new_map_is_empty(self, lab):
        assert len(lab.map("hash", key="u32", value="u32", max_entries=4)) == 0
""",
    "bpf_module": """\
import pytest


@pytest.fixture(scope="module")
def blocked(bpf_module):
    ports = bpf_module.map("hash", key="u16", value="u8", max_entries=16, name="blocked")
    ports[23] = 1
    return ports


def test_a_port_is_added(blocked):
    blocked[80] = 1
    assert sorted(blocked) == [23, 80]


def test_and_is_gone_in_the_next_test(blocked):
    assert list(blocked) == [23]
""",
    "bpf_session": """\
import pytest


@pytest.fixture(scope="session")
def gate(bpf_session):
    return bpf_session.program("r0 = 1\\nexit", type="xdp", name="gate")  # loaded once


@pytest.mark.parametrize("size", [14, 60, 1500])
def test_nothing_passes(gate, size):
    assert gate.run(bytes(size)).action.name == "DROP"
""",
    "bpf_mock": """\
import pytest
from bpflab.errors import MapFullError


def test_a_full_map_is_told(bpf_mock):
    ports = bpf_mock.map("hash", key="u32", value="u32", max_entries=100, name="ports")
    bpf_mock.on("MAP_UPDATE_ELEM", map="ports").fails("E2BIG")
    with pytest.raises(MapFullError):
        ports[23] = 1
""",
    "bpf_cover_target": """\
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(packet=st.binary(min_size=14, max_size=64))
def test_no_packet_is_aborted(bpf, bpf_cover_target, packet):
    with bpf.scope():
        program = bpf.program("r0 = 2\\nexit", type="xdp", name="gate")
        assert program.run(packet).action.name != "ABORTED"
    bpf_cover_target()
""",
}
