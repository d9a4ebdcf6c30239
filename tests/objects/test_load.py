"""Objects are loaded whole: maps, data, programs, and what the source puts into maps."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bpflab import XDP, Lab
from bpflab.abi.layout import ByteOrder
from bpflab.abi.prog_types import ProgType
from bpflab.errors import ArgumentError, NoSuchNameError, NotPermittedError, ObjectError
from bpflab.obj import compile_c, read_object
from bpflab.obj.spec import ObjectSpec
from bpflab.programs.verifier import VerifierError
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
const volatile int verdict = XDP_DROP;
int runs;
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, int); };
struct inner first SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 2); __type(key, int); __array(values, struct inner);
} outer SEC(".maps") = { .values = { [1] = &first } };
int chosen(struct xdp_md *ctx);
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 2); __type(key, int); __array(values, int(void *));
} stages SEC(".maps") = { .values = { [1] = (void *)&chosen } };
SEC("xdp") int chosen(struct xdp_md *ctx) { return XDP_TX; }
SEC("xdp") int counts(struct xdp_md *ctx) { runs++; return verdict; }
SEC("xdp") int hands_on(struct xdp_md *ctx) { bpf_tail_call(ctx, &stages, 1); return XDP_ABORTED; }
SEC("xdp") int looks(struct xdp_md *ctx) {
    int at = 1, zero = 0;
    void *found = bpf_map_lookup_elem(&outer, &at);
    int *value = found ? bpf_map_lookup_elem(found, &zero) : 0;
    return value ? *value : XDP_ABORTED;
}
char _license[] SEC("license") = "GPL";
"""
MISSING_FIELD = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
struct task_struct { int no_such_field; } __attribute__((preserve_access_index));
SEC("xdp") int asks(struct xdp_md *ctx) { return bpf_core_field_offset(struct task_struct, no_such_field); }
char _license[] SEC("license") = "GPL";
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("objects") / "whole.bpf.c"
    source.write_text(SOURCE)
    return compile_c(source)


@pytest.fixture
def spec(compiled: Path) -> ObjectSpec:
    return read_object(compiled)


def test_a_path_its_bytes_and_its_spec_load_alike(bpf: Lab, compiled: Path, spec: ObjectSpec) -> None:
    for source in (compiled, str(compiled), compiled.read_bytes(), spec):
        assert bpf.load(source).programs.counts.run(bytes(64)).action is XDP.DROP


def test_read_only_data_is_set_before_it_is_frozen(bpf: Lab, spec: ObjectSpec) -> None:
    loaded = bpf.load(spec, rodata={"verdict": XDP.PASS})
    assert loaded.programs.counts.run(bytes(64)).action is XDP.PASS
    with pytest.raises(NotPermittedError, match="frozen"):
        loaded.maps[".rodata"][0] = loaded.maps[".rodata"][0]


def test_a_spec_is_not_changed_by_loading_it(bpf: Lab, spec: ObjectSpec) -> None:
    bpf.load(spec, rodata={"verdict": XDP.PASS})
    assert bpf.load(spec).programs.counts.run(bytes(64)).action is XDP.DROP


def test_variables_are_read_while_programs_run(bpf: Lab, spec: ObjectSpec) -> None:
    loaded = bpf.load(spec)
    loaded.programs.counts.run(bytes(64), repeat=3)
    assert loaded.maps[".bss"][0].runs == 3


def test_maps_and_programs_that_the_source_puts_into_maps_are_there(bpf: Lab, spec: ObjectSpec) -> None:
    loaded = bpf.load(spec)
    loaded.maps.first[0] = int(XDP.PASS)
    assert loaded.programs.looks.run(bytes(64)).action is XDP.PASS
    assert loaded.programs.hands_on.run(bytes(64)).action is XDP.TX


def test_only_the_wanted_programs_are_loaded(bpf: Lab, spec: ObjectSpec) -> None:
    loaded = bpf.load(spec, programs=["hands_on"])
    assert list(loaded.programs) == ["hands_on"]
    assert loaded.programs.hands_on.run(bytes(64)).action is XDP.ABORTED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"programs": ["count"]}, "did you mean counts"), ({"rodata": {"verdikt": 1}}, "did you mean verdict")],
)
def test_names_that_are_not_there_are_answered_with_near_ones(
    bpf: Lab, spec: ObjectSpec, arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(NoSuchNameError, match=said):
        bpf.load(spec, **arguments)  # type: ignore[arg-type]  # wrong on purpose


def test_a_program_in_an_unknown_section_is_refused_with_near_names(bpf: Lab, spec: ObjectSpec) -> None:
    stray = replace(spec.programs["counts"], section="xpd", type=ProgType.UNSPEC)
    with pytest.raises(ObjectError, match=r"'counts' cannot be loaded.*'xpd'.*Similar names: xdp"):
        bpf.load(replace(spec, programs={**spec.programs, "counts": stray}))


@pytest.mark.parametrize("value", [1 << 32, b"12345"])
def test_a_value_too_large_for_its_variable_is_refused(bpf: Lab, spec: ObjectSpec, value: int | bytes) -> None:
    with pytest.raises(ArgumentError, match="4 bytes"):
        bpf.load(spec, rodata={"verdict": value})


@pytest.mark.parametrize("source", [5, None, ["x"]])
def test_something_that_is_no_object_is_refused(bpf: Lab, source: object) -> None:
    with pytest.raises(ArgumentError, match="expected the path"):
        bpf.load(source)  # type: ignore[arg-type]  # wrong on purpose


def test_a_file_that_is_not_there_is_answered_with_near_ones(bpf: Lab, tmp_path: Path) -> None:
    (tmp_path / "firewall.bpf.c").write_text("")
    with pytest.raises(ObjectError, match=r"did you mean firewall\.bpf\.c"):
        bpf.load(tmp_path / "firewal.bpf.c")


def test_an_object_of_the_other_byte_order_is_refused(spec: ObjectSpec) -> None:
    other: ByteOrder = "big" if sys.byteorder == "little" else "little"
    with Lab(SimBackend(Machine(byteorder=other))) as lab, pytest.raises(ObjectError, match=f"{sys.byteorder}-endian"):
        lab.load(spec)


@pytest.mark.bpf(backend="kernel")
def test_a_field_that_the_kernel_lacks_is_named_when_the_program_reaches_it(bpf: Lab, tmp_path: Path) -> None:
    source = tmp_path / "missing.bpf.c"
    source.write_text(MISSING_FIELD)
    with pytest.raises(VerifierError) as caught:
        bpf.load(source)
    assert "no_such_field" in "".join(caught.value.__notes__)
