"""Enums and flags of abi/ are those of linux/bpf.h, also where the running kernel is older than the header."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest

from bpflab.abi import flags
from bpflab.abi.attach_types import AttachType, LinkType
from bpflab.abi.commands import Command
from bpflab.abi.helpers import all_helpers
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType

BIT = re.compile(r"\b(BPF_\w+)\s*=?\s*\(1U(?:LL)? << (\d+)\)")
VALUE = re.compile(r"^\s*(BPF_\w+)\s*=\s*(\d+),", re.MULTILINE)
HELPER = re.compile(r"FN\((\w+), (\d+), ##ctx\)")
ENUMS = {
    "bpf_cmd": ("BPF_", Command),
    "bpf_map_type": ("BPF_MAP_TYPE_", MapType),
    "bpf_prog_type": ("BPF_PROG_TYPE_", ProgType),
    "bpf_attach_type": ("BPF_", AttachType),
    "bpf_link_type": ("BPF_LINK_TYPE_", LinkType),
}
FLAGS: list[tuple[str, type[IntFlag]]] = [
    ("BPF_F_", flags.MapFlag),
    ("BPF_F_", flags.ProgFlag),
    ("BPF_F_", flags.AttachFlag),
    ("BPF_F_QUERY_", flags.QueryFlag),
    ("BPF_F_", flags.FileFlag),
    ("BPF_F_TEST_", flags.RunFlag),
    ("BPF_F_NETFILTER_", flags.NetfilterFlag),
    ("BPF_F_KPROBE_MULTI_", flags.KprobeMultiFlag),
    ("BPF_F_UPROBE_MULTI_", flags.UprobeMultiFlag),
]
NAMED_ELSEWHERE = {"BPF_F_LINK": 1 << 13}
"""A flag that the header also defines as itself."""


@pytest.fixture(scope="module")
def header() -> str:
    ziglang = pytest.importorskip("ziglang", reason="needs the kernel headers in ziglang")
    path = Path(ziglang.__file__).parent / "lib/libc/include/any-linux-any/linux/bpf.h"
    return re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)


def enumerators(header: str, name: str) -> Mapping[str, int]:
    """Number the names of an enum as C does: one more than the one before, or what is written.

    BPF_COMMON_ATTRS is left out: it is a bit beside the command, not a command.
    """
    body = re.search(rf"enum {name} {{(.*?)}};", header, re.DOTALL)
    assert body
    found: dict[str, int] = {}
    for word in filter(None, (part.strip() for part in body[1].split(","))):
        key, _, value = (part.strip() for part in word.partition("="))
        if "<<" not in value:
            found[key] = found[value] if value in found else int(value or max(found.values(), default=-1) + 1)
    return {key: value for key, value in found.items() if not key.startswith(("__", "MAX_"))}


@pytest.mark.parametrize("name", ENUMS)
def test_an_enum_is_that_of_the_header(header: str, name: str) -> None:
    prefix, kind = ENUMS[name]
    ours = {prefix + key: int(member) for key, member in kind.__members__.items()}
    assert enumerators(header, name).items() <= ours.items()


@pytest.mark.parametrize(("prefix", "kind"), FLAGS, ids=[kind.__name__ for _, kind in FLAGS])
def test_a_flag_has_the_bit_it_has_in_the_header(header: str, prefix: str, kind: type[IntFlag]) -> None:
    bits = {name: 1 << int(bit) for name, bit in BIT.findall(header)} | NAMED_ELSEWHERE
    ours = {prefix + name: int(member) for name, member in kind.__members__.items()}
    assert ours.items() <= bits.items()


@pytest.mark.parametrize("kind", [flags.UpdateFlag, flags.ProgStream, flags.StatsType], ids=lambda kind: kind.__name__)
def test_a_numbered_constant_has_the_value_it_has_in_the_header(header: str, kind: type[IntEnum | IntFlag]) -> None:
    values = {(name, int(value)) for name, value in VALUE.findall(header)}
    prefixes = ("BPF_", "BPF_F_", "BPF_STREAM_", "BPF_STATS_")
    named = {name for name, member in kind.__members__.items() if any((p + name, member) in values for p in prefixes)}
    assert named == set(kind.__members__)


def test_the_helpers_are_those_of_the_header(header: str) -> None:
    listed = {int(number): name for name, number in HELPER.findall(header)}
    assert listed == {0: "unspec"} | {row.id: row.name for row in all_helpers()}
