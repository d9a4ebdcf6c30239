from __future__ import annotations

import sys

import pytest

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.attr import LINK_CREATE_LAYOUTS
from bpflab.abi.commands import Command
from bpflab.asm.insn import Insn, encode
from bpflab.backend.attr import Attr
from bpflab.backend.mock import MockBackend


@pytest.fixture
def mock() -> MockBackend:
    return MockBackend()


def test_a_call_has_its_fields_decoded(mock: MockBackend) -> None:
    with Lab(mock) as lab:
        lab.map("hash", key="u32", value="u64", max_entries=2, name="ports")[0x17] = 0x1234
    (created,) = mock.calls("MAP_CREATE")
    (updated,) = mock.calls("MAP_UPDATE_ELEM")
    assert (created.map_name, created.key_size, created.value_size, created.max_entries) == ("ports", 4, 8, 2)
    assert (updated.map, updated.map_fd, updated.flags) == ("ports", created.result, 0)
    assert (updated.key, updated.value) == ((0x17).to_bytes(4, sys.byteorder), (0x1234).to_bytes(8, sys.byteorder))


def test_a_load_shows_its_instructions_and_texts(mock: MockBackend) -> None:
    with Lab(mock) as lab:
        lab.program("r0 = 2\nexit", name="gate", license="GPL")
    (load,) = mock.calls("PROG_LOAD")
    assert (load.prog_name, load.program, load.license, load.insn_cnt) == ("gate", "gate", "GPL", 2)
    assert load.insns == encode([Insn(0xB7, imm=2), Insn(0x95)])


def test_what_an_answer_wrote_stands_where_it_was_written(mock: MockBackend) -> None:
    with Lab(mock) as lab:
        ports = lab.map("hash", key="u32", value="u32", max_entries=2)
        ports[1] = 5
        assert ports[1] == 5
    (lookup,) = mock.calls("MAP_LOOKUP_ELEM")
    assert lookup.value == (5).to_bytes(4, sys.byteorder)
    assert lookup.out == {"value": lookup.value}


def test_a_call_is_shown_with_its_fields_its_map_and_its_answer(mock: MockBackend) -> None:
    with Lab(mock) as lab:
        ports = lab.map("hash", key="u32", value="u32", max_entries=1, name="ports")
        ports[1] = 5
        assert ports.get(2) is None
    one, two, five = (number.to_bytes(4, sys.byteorder) for number in (1, 2, 5))
    shown = [repr(call) for call in mock.calls("MAP_*", map_fd=1000)]
    assert shown == [
        f"<MAP_UPDATE_ELEM(map_fd=1000, key={one!r}, value={five!r}) of map 'ports' -> 0>",
        f"<MAP_LOOKUP_ELEM(map_fd=1000, key={two!r}) of map 'ports' -> -ENOENT>",
    ]


def test_a_link_shows_the_fields_of_its_kind(mock: MockBackend) -> None:
    layout = LINK_CREATE_LAYOUTS["tracing"]
    fields = {"prog_fd": 5, "attach_type": AttachType.TRACE_FENTRY, "target_btf_id": 12, "cookie": 34}
    attr = Attr(Command.LINK_CREATE, fields, layout)
    mock.on("LINK_CREATE", cookie=34).answers(77)
    assert mock.bpf(Command.LINK_CREATE, attr.pointer, attr.size) == 77
    assert (mock.log[0].target_btf_id, mock.log[0].cookie) == (12, 34)


def test_long_buffers_are_shown_cut(mock: MockBackend) -> None:
    with Lab(mock) as lab:
        lab.program("r0 = 2\nexit").run(bytes(100))
    assert f"data_in={bytes(32)!r}... (100)" in repr(mock.calls("PROG_TEST_RUN")[0])


def test_a_field_that_a_call_does_not_have_is_an_attribute_error_with_near_names(mock: MockBackend) -> None:
    with Lab(mock) as lab:
        lab.map("array", value="u32", max_entries=1)
    with pytest.raises(AttributeError, match="MAP_CREATE has no field 'key_siez'; did you mean key_size"):
        _ = mock.log[0].key_siez


def test_the_log_is_asked_as_scripts_are_laid_down(mock: MockBackend) -> None:
    with Lab(mock) as lab:
        ports = lab.map("hash", key="u32", value="u32", max_entries=9, name="ports")
        for port in (21, 22, 23):
            ports[port] = 1
    assert len(mock.calls("MAP_UPDATE_ELEM")) == 3
    assert len(mock.calls("MAP_UPDATE_ELEM", key=22)) == 1
    assert len(mock.calls(where=lambda call: call.map == "ports")) == 5
    assert [call.command for call in mock.calls("close")] == ["close"]
