"""The table of helpers: complete, consistent, and found by name and number."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bpflab.abi.helpers import (
    MEMORY_KINDS,
    SIZE_KINDS,
    ArgumentKind,
    Helper,
    ReturnKind,
    all_helpers,
    helper,
    table,
)
from bpflab.abi.prog_types import ProgType
from bpflab.errors import UnknownHelperError

MAP_KINDS = {ArgumentKind.MAP_KEY, ArgumentKind.MAP_VALUE, ArgumentKind.MAP_VALUE_UNINIT}
each_helper = pytest.mark.parametrize("row", all_helpers(), ids=lambda row: row.name)


def test_ids_have_no_holes_and_names_do_not_repeat() -> None:
    assert [row.id for row in all_helpers()] == list(range(1, len(all_helpers()) + 1))
    assert len({row.name for row in all_helpers()}) == len(all_helpers())


def test_helpers_are_numbered_in_the_order_in_which_kernels_got_them() -> None:
    assert [row.since for row in all_helpers()] == sorted(row.since for row in all_helpers())


def test_the_categories_are_those_that_helpers_are_in() -> None:
    assert {row.category for row in all_helpers()} == set(table().categories)


@each_helper
def test_a_helper_is_described_in_a_sentence_of_its_own(row: Helper) -> None:
    assert row.description[0].isupper()
    assert row.description.endswith(".")
    assert [other.name for other in all_helpers() if other.description == row.description] == [row.name]


@each_helper
def test_a_helper_is_for_some_types_of_program_and_none_that_borrow_from_others(row: Helper) -> None:
    assert row.programs
    assert not row.programs & {ProgType.UNSPEC, ProgType.EXT}


@each_helper
def test_exceptions_are_made_for_types_that_may_call_the_helper(row: Helper) -> None:
    assert set(row.variants) <= row.programs
    assert row.gpl_exempt <= row.programs
    assert row.gpl_only or not row.gpl_exempt


@each_helper
def test_memory_has_a_fixed_size_or_is_followed_by_its_size(row: Helper) -> None:
    sized = [argument.sizes for argument in row.arguments if argument.kind in SIZE_KINDS]
    assert sized == [a.name for a in row.arguments if a.kind in MEMORY_KINDS and not a.size]
    assert all(row.size_of(name) is not None for name in sized)


@each_helper
def test_keys_and_values_follow_the_map_that_sizes_them(row: Helper) -> None:
    kinds = [argument.kind for argument in row.arguments]
    wanted = MAP_KINDS & set(kinds)
    assert not wanted or min(kinds.index(kind) for kind in wanted) > kinds.index(ArgumentKind.MAP_PTR)


@each_helper
def test_returned_memory_has_a_size_that_an_argument_gives(row: Helper) -> None:
    giver = {
        ReturnKind.MAP_VALUE: ArgumentKind.MAP_PTR,
        ReturnKind.ALLOC_MEM: ArgumentKind.ALLOC_SIZE,
        ReturnKind.DYNPTR_MEM: ArgumentKind.ALLOC_SIZE,
    }.get(row.returns.kind)
    assert giver is None or giver in [argument.kind for argument in row.arguments]


@each_helper
def test_a_helper_is_found_by_id_and_by_name_with_and_without_prefix(row: Helper) -> None:
    assert helper(row.id) is helper(row.name) is helper(f"bpf_{row.name}") is row
    assert row.id in table()
    assert row.name in table()


def test_an_unknown_name_is_an_error_that_names_its_neighbours() -> None:
    with pytest.raises(UnknownHelperError, match="'map_lokup_elem'; did you mean map_lookup_elem"):
        helper("bpf_map_lokup_elem")


def test_an_unknown_id_is_an_error_that_gives_the_range() -> None:
    with pytest.raises(UnknownHelperError, match="id 0; the table holds 1 to"):
        helper(0)


def test_a_type_of_program_is_told_what_it_may_call() -> None:
    may = {row.name for row in table().for_program(ProgType.XDP)}
    assert "xdp_adjust_head" in may
    assert "skb_load_bytes" not in may


def test_an_argument_may_be_of_another_kind_in_another_type_of_program() -> None:
    get = helper("sk_storage_get")
    kinds = {name: get.arguments_in(ProgType[name])[1].kind for name in ("SK_MSG", "CGROUP_SOCK", "TRACING")}
    assert kinds == {
        "SK_MSG": ArgumentKind.BTF_SOCK_COMMON,
        "CGROUP_SOCK": ArgumentKind.CTX,
        "TRACING": ArgumentKind.BTF_PTR,
    }


def test_an_argument_may_be_absent_in_another_type_of_program() -> None:
    classid = helper("get_cgroup_classid")
    assert [argument.name for argument in classid.arguments_in(ProgType.SCHED_CLS)] == ["skb"]
    assert classid.arguments_in(ProgType.XDP) == ()


def test_a_licence_may_be_asked_of_some_types_of_program_alone() -> None:
    stack = helper("get_stackid")
    assert (stack.needs_gpl(ProgType.KPROBE), stack.needs_gpl(ProgType.PERF_EVENT)) == (True, False)


def test_a_signature_reads_as_a_declaration_in_c() -> None:
    assert helper("redirect").signature == "long bpf_redirect(u32 ifindex, u64 flags)"
    assert helper("ktime_get_ns").signature == "u64 bpf_ktime_get_ns(void)"
    assert helper("ringbuf_submit").signature == "void bpf_ringbuf_submit(void *data, u64 flags)"


def test_the_rows_are_read_when_the_first_helper_is_asked_for() -> None:
    code = (
        "from bpflab.abi import helpers\n"
        "before = helpers.table.cache_info().currsize\n"
        "helpers.helper('redirect')\n"
        "print(before, helpers.table.cache_info().currsize)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["0", "1"]
