"""The layouts of contexts."""

from __future__ import annotations

import struct

import pytest

from bpflab.abi.context import ContextLayout, can_test_run, layout, layout_of, run_layout_of
from bpflab.abi.context_tables import PT_REGS, STRUCTURES
from bpflab.abi.prog_types import ProgType
from bpflab.errors import ArgumentError, UnknownArchitectureError

LAYOUTS = [layout(name) for name in STRUCTURES]


@pytest.mark.parametrize("found", LAYOUTS, ids=lambda found: found.name)
def test_members_lie_inside_their_structure_and_aligned_to_their_size(found: ContextLayout) -> None:
    assert [m for m in found.fields if m.offset % m.size or m.end > found.size] == []


@pytest.mark.parametrize("found", LAYOUTS, ids=lambda found: found.name)
def test_a_member_as_a_struct_format_has_the_members_size(found: ContextLayout) -> None:
    assert {m.name: struct.calcsize("=" + m.code) for m in found.fields} == {
        m.name: m.end - m.offset for m in found.fields
    }


@pytest.mark.parametrize("found", LAYOUTS, ids=lambda found: found.name)
def test_a_byte_of_a_structure_leads_back_to_the_member_that_covers_it(found: ContextLayout) -> None:
    for offset in range(found.size):
        member = found.at(offset)
        covering = [m for m in found.fields if m.offset <= offset < m.end]
        assert member is (covering[0] if covering else None)


def test_a_member_is_found_by_name() -> None:
    cb = layout("__sk_buff").field("cb")
    assert (cb.offset, cb.size, cb.count, cb.end) == (48, 4, 5, 68)


def test_an_unknown_member_is_an_error_that_lists_the_members() -> None:
    with pytest.raises(ArgumentError, match=r"xdp_md has no field 'len'.*rx_queue_index"):
        layout("xdp_md").field("len")


def test_an_unknown_structure_is_an_error_that_lists_the_structures() -> None:
    with pytest.raises(ArgumentError, match=r"'sk_buff'.*__sk_buff"):
        layout("sk_buff")


@pytest.mark.parametrize(
    ("architecture", "size"),
    [("x86_64", 168), ("arm64", 272), ("riscv64", 256), ("s390x", 152), ("ppc64le", 352), ("armhf", 72)],
)
def test_registers_depend_on_the_machine(architecture: str, size: int) -> None:
    registers = layout_of(ProgType.KPROBE, architecture)
    assert registers is not None
    assert registers.size == size
    event = layout_of(ProgType.PERF_EVENT, architecture)
    assert event is not None
    assert event.field("sample_period").offset == size


def test_registers_of_an_unknown_machine_are_an_error_that_lists_the_known() -> None:
    with pytest.raises(UnknownArchitectureError, match=rf"'vax'.*{next(iter(PT_REGS))}"):
        layout("pt_regs", "vax")


@pytest.mark.parametrize("prog_type", [ProgType.TRACEPOINT, ProgType.SYSCALL, ProgType.EXT])
def test_a_type_whose_context_is_not_fixed_has_no_layout(prog_type: ProgType) -> None:
    assert layout_of(prog_type) is None


def test_a_flow_dissector_sees_a_packet_and_is_run_with_flow_keys() -> None:
    seen, given = layout_of(ProgType.FLOW_DISSECTOR), run_layout_of(ProgType.FLOW_DISSECTOR)
    assert (seen and seen.name, given and given.name) == ("__sk_buff", "bpf_flow_keys")


@pytest.mark.parametrize("prog_type", ProgType)
def test_whatever_has_a_run_context_can_be_run(prog_type: ProgType) -> None:
    assert can_test_run(prog_type) >= (run_layout_of(prog_type) is not None)
