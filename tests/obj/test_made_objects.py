"""Objects as tools leave them: stripped, linked of several, and with the licence written in every way."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bpflab import XDP, Lab
from bpflab.errors import ObjectError
from bpflab.obj import ObjectSpec, compile_c, read_object

USES = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
extern int verdict(int x);
extern int base;
SEC("xdp") int uses(struct xdp_md *ctx) { return verdict(ctx->ingress_ifindex * 0) + base; }
char _license[] SEC("license") = "GPL";
"""
DEFINES = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, int);
} counts SEC(".maps");
int base = 1;
__noinline int verdict(int x)
{
    int zero = 0, *count = bpf_map_lookup_elem(&counts, &zero);
    if (count)
        ++*count;
    return x + 1;
}
"""
PLAIN = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int drops(struct xdp_md *ctx) { return XDP_DROP; }
"""


def compiled(directory: Path, name: str, text: str) -> Path:
    source = directory / f"{name}.bpf.c"
    source.write_text(text)
    return compile_c(source, cache=directory / "cache")


def changed(path: Path, *tool: str) -> Path:
    """Give a copy of an object that a tool went over, or skip where the tool is missing."""
    if shutil.which(tool[0]) is None:
        pytest.skip(f"needs {tool[0]}")
    copy = path.with_name(f"changed-{path.name}")
    subprocess.run([*tool, str(path), "-o", str(copy)], check=True)
    return copy


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    if shutil.which("bpftool") is None or sys.byteorder == "big":
        pytest.skip("needs bpftool, which links objects of its own byte order")
    parts = [compiled(tmp_path, "uses", USES), compiled(tmp_path, "defines", DEFINES)]
    whole = tmp_path / "linked.o"
    subprocess.run(["bpftool", "gen", "object", str(whole), *map(str, parts)], check=True)
    return whole


def test_an_object_linked_of_two_is_one(linked: Path, bpf: Lab) -> None:
    loaded = bpf.load(linked)

    assert loaded.programs.uses.run(bytes(64)).action is XDP.PASS
    assert loaded.maps.counts[0] == 1


def test_a_part_of_an_object_says_what_it_lacks(tmp_path: Path) -> None:
    wanted = "'uses' uses 'verdict', which the object does not define.*bpftool gen object linked.o one.o other.o"

    with pytest.raises(ObjectError, match=wanted):
        read_object(compiled(tmp_path, "uses", USES))


def test_debug_information_may_be_stripped(tmp_path: Path, bpf: Lab) -> None:
    path = compiled(tmp_path, "defines", f"{PLAIN}\nint base = 7;")

    spec = read_object(changed(path, "llvm-strip", "-g"))

    assert essence(spec) == essence(read_object(path))
    assert bpf.load(spec).data.base == 7


def test_symbols_may_not_be_stripped(tmp_path: Path) -> None:
    path = changed(compiled(tmp_path, "plain", PLAIN), "llvm-strip")

    with pytest.raises(ObjectError, match=r"it has code and no symbols.*\(-g\)"):
        read_object(path)


def test_an_object_without_btf_loads(tmp_path: Path, bpf: Lab) -> None:
    names = [word for name in (".BTF", ".BTF.ext", ".rel.BTF", ".rel.BTF.ext") for word in ("--remove-section", name)]
    path = compiled(tmp_path, "plain", PLAIN)
    copy = path.with_name("plain.o")
    if shutil.which("llvm-objcopy") is None:
        pytest.skip("needs llvm-objcopy")
    subprocess.run(["llvm-objcopy", *names, str(path), str(copy)], check=True)

    assert read_object(copy).btf is None
    assert bpf.load(copy).programs.drops.run(bytes(64)).action is XDP.DROP


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('char LICENSE[] SEC("license") = "GPL";', "GPL"),
        ('const char own_name[] SEC("license") = "Dual MIT/GPL";', "Dual MIT/GPL"),
        ('char unended[3] SEC("license") = "GPL";', "GPL"),
        ('char filled_up[64] SEC("license") = "Dual BSD/GPL";', "Dual BSD/GPL"),
        ("", ""),
    ],
)
def test_a_licence_is_read_however_it_is_written(tmp_path: Path, written: str, read: str) -> None:
    spec = read_object(compiled(tmp_path, "licensed", f"{PLAIN}\n{written}\n"))

    assert spec.license == read
    assert spec.programs["drops"].license == read


def essence(spec: ObjectSpec) -> dict[str, object]:
    """Return what is loaded, in which no path of a file is."""
    programs = {name: (each.insns, re.sub(r"\S*/", "", str(each.functions))) for name, each in spec.programs.items()}
    return {"programs": programs, "maps": {name: each.data for name, each in spec.maps.items()}, "btf": spec.btf}
