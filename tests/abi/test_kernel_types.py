"""Enums and structures of abi/ are those of the running kernel's BTF."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

import pytest

from bpflab.abi import flags, helper_flags
from bpflab.abi.attach_types import AttachType, LinkType
from bpflab.abi.btf import BtfKind
from bpflab.abi.commands import Command
from bpflab.abi.context import layout
from bpflab.abi.context_tables import STRUCTURES
from bpflab.abi.helpers import all_helpers
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import FLOW_DISSECTOR, LWT, SK, TCX, XDP
from bpflab.obj.btf_layout import fields
from bpflab.obj.btf_types import Enum, Struct

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf

NEWEST = (7, 2)
"""The kernel that the enums were written from; one that is newer may know more."""
NO_STRUCT = {"lirc_mode2"}
"""Layouts that stand for something that has no structure in C."""
FLEXIBLE = {"bpf_raw_tracepoint_args"}
"""Layouts that end with an array without length in C."""
HELPERS = {row.name: row.id for row in all_helpers()}
"""As an enum's members."""

ENUMS: list[tuple[str, str, Mapping[str, int]]] = [
    ("bpf_cmd", "BPF_", Command.__members__),
    ("bpf_map_type", "BPF_MAP_TYPE_", MapType.__members__),
    ("bpf_prog_type", "BPF_PROG_TYPE_", ProgType.__members__),
    ("bpf_attach_type", "BPF_", AttachType.__members__),
    ("bpf_link_type", "BPF_LINK_TYPE_", LinkType.__members__),
    ("bpf_func_id", "BPF_FUNC_", {"unspec": 0, **HELPERS}),
    ("xdp_action", "XDP_", XDP.__members__),
    ("sk_action", "SK_", SK.__members__),
    ("tcx_action_base", "TCX_", TCX.__members__),
    ("bpf_stats_type", "BPF_STATS_", flags.StatsType.__members__),
    ("bpf_adj_room_mode", "BPF_ADJ_ROOM_", helper_flags.AdjustRoomMode.__members__),
    ("bpf_hdr_start_off", "BPF_HDR_START_", helper_flags.HeaderStart.__members__),
    ("bpf_lwt_encap_mode", "BPF_LWT_ENCAP_", helper_flags.LwtEncapMode.__members__),
    ("bpf_check_mtu_ret", "BPF_MTU_CHK_RET_", helper_flags.CheckMtuResult.__members__),
]
CONSTANTS: list[tuple[str, type[IntEnum | IntFlag]]] = [
    ("BPF_", LWT),
    ("BPF_FLOW_DISSECTOR_", FLOW_DISSECTOR),
    ("BPF_F_", flags.MapFlag),
    ("BPF_F_", flags.UpdateFlag),
    ("BPF_F_KPROBE_MULTI_", flags.KprobeMultiFlag),
    ("BPF_F_UPROBE_MULTI_", flags.UprobeMultiFlag),
    ("BPF_RB_", flags.RingbufFlag),
    ("BPF_RINGBUF_", flags.RingbufFlag),
    ("BPF_RB_", helper_flags.RingbufQuery),
    ("BPF_F_", helper_flags.StoreBytesFlag),
    ("BPF_F_", helper_flags.CsumReplaceFlag),
    ("BPF_F_", helper_flags.TunnelKeyFlag),
    ("BPF_F_", helper_flags.StackFlag),
    ("BPF_F_", helper_flags.RedirectFlag),
    ("BPF_CSUM_LEVEL_", helper_flags.CsumLevel),
    ("BPF_F_ADJ_ROOM_", helper_flags.AdjustRoomFlag),
    ("BPF_FIB_LOOKUP_", helper_flags.FibLookupFlag),
    ("BPF_FIB_LKUP_RET_", helper_flags.FibLookupResult),
    ("BPF_SK_LOOKUP_F_", helper_flags.SkAssignFlag),
    ("BPF_F_TIMER_", helper_flags.TimerFlag),
    ("BTF_F_", helper_flags.BtfShowFlag),
]


@pytest.fixture(scope="module")
def kernel_constants(kernel_btf: Btf) -> Mapping[str, int]:
    """Every enumerator of the kernel, whatever enum it is in."""
    enums = (kernel_btf.get(each, Enum) for each in kernel_btf if kernel_btf.kind(each) is BtfKind.ENUM)
    return {value.name: value.value for enum in enums for value in enum.values}


@pytest.mark.parametrize(("name", "prefix", "members"), ENUMS, ids=[name for name, _, _ in ENUMS])
def test_an_enum_is_that_of_the_kernel(
    kernel_btf: Btf, kernel_release: tuple[int, int], name: str, prefix: str, members: Mapping[str, int]
) -> None:
    values = kernel_btf.get(kernel_btf.require(name, BtfKind.ENUM), Enum).values
    kernel = {each.name.removeprefix(prefix): each.value for each in values if not each.name.startswith("__")}
    kernel = {key: value for key, value in kernel.items() if not key.startswith("MAX_")}
    both = kernel.keys() & members.keys()
    assert {key: kernel[key] for key in both} == {key: int(members[key]) for key in both}
    assert kernel_release > NEWEST or kernel.keys() <= members.keys()


@pytest.mark.parametrize(("prefix", "kind"), CONSTANTS, ids=lambda value: getattr(value, "__name__", value))
def test_constants_have_the_values_they_have_in_the_kernel(
    kernel_constants: Mapping[str, int], prefix: str, kind: type[IntEnum | IntFlag]
) -> None:
    ours = {prefix + name: int(member) for name, member in kind.__members__.items()}
    both = ours.keys() & kernel_constants.keys()
    assert both
    assert {name: ours[name] for name in both} == {name: kernel_constants[name] for name in both}


@pytest.mark.parametrize("name", [name for name in STRUCTURES if name not in NO_STRUCT])
def test_a_context_has_the_members_it_has_in_the_kernel(
    kernel_btf: Btf, kernel_release: tuple[int, int], name: str
) -> None:
    ours = {member.name: (member.offset, member.end - member.offset) for member in layout(name).fields}
    found = fields(kernel_btf, kernel_btf.require(name, BtfKind.STRUCT))
    kernel = {each.name: (each.offset, each.bit_size // 8) for each in found if each.bit_size}
    assert kernel_release > NEWEST or kernel.keys() <= ours.keys()
    assert {key: place for key, place in ours.items() if key in kernel} == kernel


@pytest.mark.parametrize("name", [name for name in STRUCTURES if name not in NO_STRUCT | FLEXIBLE])
def test_a_context_has_the_size_it_has_in_the_kernel(
    kernel_btf: Btf, kernel_release: tuple[int, int], name: str
) -> None:
    size = kernel_btf.get(kernel_btf.require(name, BtfKind.STRUCT), Struct).size
    assert layout(name).size == size or kernel_release != (6, 18)
