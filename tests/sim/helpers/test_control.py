"""Loops, walks over maps and tail calls go as on the running kernel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.asm import (
    DW,
    Items,
    add,
    call,
    exit_,
    ld_imm64,
    ld_map,
    ld_map_value,
    ldx,
    mov,
    r0,
    r1,
    r2,
    r3,
    r6,
    r7,
    stx,
)
from bpflab.programs.verifier import VerifierError

SOURCE = Path(__file__).parent / "programs" / "control.bpf.c"
SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PACKET = bytes(64)
NOWHERE = (1 << 64) - 1


@pytest.fixture(scope="module")
def control(pair: Any) -> list[Any]:
    return [lab.load(SOURCE) for lab in (pair.kernel, pair.sim)]


def outcome(loaded: Any, name: str, question: tuple[int, ...], elements: Mapping[int, int]) -> tuple[Any, ...]:
    """Run one program on a question, and give its answer and what it left in the maps."""
    loaded.maps.asked[0] = dict(zip(("count", "flags", "stop", "inner"), question, strict=True))
    loaded.maps.answers[0] = {"result": 0, "calls": 0, "sum": 0}
    loaded.maps.hash.clear()
    loaded.maps.hash.update(elements)
    for index in range(5):
        loaded.maps.array[index] = index * 10
    loaded.programs[name].run(PACKET)
    answer = loaded.maps.answers[0]
    return answer, dict(loaded.maps.hash), [loaded.maps.array[index] for index in range(5)]


COUNTS = st.one_of(st.integers(0, 40), st.sampled_from([1 << 23, (1 << 23) + 1, 1 << 32, (1 << 32) + 3, NOWHERE]))
FLAGS = st.sampled_from([0, 0, 0, 0, 1, 1 << 40])


@pytest.mark.parametrize("name", ["loop", "nested"])
@SETTINGS
@given(question=st.tuples(COUNTS, FLAGS, st.integers(0, 12), st.integers(0, 40)))
def test_loops_go_alike(control: list[Any], name: str, question: tuple[int, int, int, int]) -> None:
    kernel, sim = (outcome(each, name, question, {}) for each in control)
    assert sim == kernel


@pytest.mark.parametrize("name", ["over_hash", "over_array", "dropping"])
@SETTINGS
@given(flags=FLAGS, stop=st.sampled_from([0, 1, 3, 5, 8, 9]), keys=st.sets(st.integers(0, 9), max_size=8))
def test_walks_over_maps_go_alike(control: list[Any], name: str, flags: int, stop: int, keys: set[int]) -> None:
    stop = 0 if name == "over_hash" else stop  # the order of a hash's keys is not the same
    kernel, sim = (outcome(each, name, (0, flags, stop, 0), dict.fromkeys(keys, 7)) for each in control)
    assert sim == kernel


CALLBACK = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct bpf_map;
struct {{
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
}} array SEC(".maps");
{function} {{ return {result}; }}
SEC("xdp") int run(struct xdp_md *ctx) {{ return {call}; }}
char _license[] SEC("license") = "GPL";
"""
CALLBACKS = {
    "index": ("static long each(__u64 index, void *data)", "bpf_loop(3, each, (void *)0, 0)"),
    "*value": (
        "static long each(struct bpf_map *map, void *key, __u64 *value, void *data)",
        "bpf_for_each_map_elem(&array, each, (void *)0, 0)",
    ),
}


@pytest.mark.parametrize("result", ["-1", "0", "1", "2", "{variable}", "{variable} & 1", "{variable} & 3"])
@pytest.mark.parametrize("variable", CALLBACKS)
def test_a_callback_answers_0_or_1_or_is_refused_alike(pair: Any, tmp_path: Path, result: str, variable: str) -> None:
    function, made = CALLBACKS[variable]
    source = tmp_path / "callback.bpf.c"
    source.write_text(CALLBACK.format(function=function, call=made, result=result.format(variable=variable)))
    answers: list[object] = []
    for lab in (pair.kernel, pair.sim):
        try:
            answers.append(lab.load(source).programs.run.run(PACKET).retval)
        except VerifierError:
            answers.append("refused")
    assert answers[1] == answers[0]


REMEMBERING = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct bpf_map;
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");
struct memory { struct xdp_md *ctx; __u64 sum; };
static int count(struct memory *memory)
{
	__u8 first, *data = (void *)(long)memory->ctx->data;
	if (data + 1 > (__u8 *)(long)memory->ctx->data_end || bpf_xdp_load_bytes(memory->ctx, 1, &first, 1))
		return 1;
	memory->sum += *data + 256 * first;
	return 0;
}
static long turn(PARAMETERS, struct memory *memory) { return count(memory); }
SEC("xdp") int run(struct xdp_md *ctx)
{
	struct memory memory = { .ctx = ctx };
	CALL;
	return memory.sum;
}
char _license[] SEC("license") = "GPL";
"""


@pytest.mark.parametrize(
    ("parameters", "call", "rounds"),
    [
        ("__u64 index", "bpf_loop(5, turn, &memory, 0)", 5),
        ("struct bpf_map *map, void *key, __u64 *value", "bpf_for_each_map_elem(&array, turn, &memory, 0)", 4),
    ],
    ids=["loop", "walk"],
)
def test_a_callback_finds_the_context_in_its_memory(
    pair: Any, tmp_path: Path, parameters: str, call: str, rounds: int
) -> None:
    source = tmp_path / "remembering.bpf.c"
    source.write_text(REMEMBERING.replace("PARAMETERS", parameters).replace("CALL", call))
    answers = [lab.load(source).programs.run.run(bytes(range(1, 65))).retval for lab in (pair.kernel, pair.sim)]
    assert answers == [rounds * (1 + 256 * 2)] * 2


def tail(index: int) -> Items:
    return [mov(r6, r1), ld_map(r2, "programs"), ld_imm64(r3, index), call("tail_call"), mov(r0, 77), exit_()]


@pytest.mark.parametrize("index", [0, 1, 3, 4, 1 << 32, (1 << 32) + 1, (1 << 63)])
def test_a_tail_call_looks_at_the_low_half_of_the_index(pair: Any, index: int) -> None:
    answers = []
    for lab in (pair.kernel, pair.sim):
        with lab.map("PROG_ARRAY", max_entries=4, name="programs") as programs:
            target = lab.program([mov(r0, 5), exit_()], type="xdp")
            programs[1] = target
            caller = lab.program(tail(index), type="xdp")
            answers.append(caller.run(PACKET).retval)
            caller.close()
            target.close()
    assert answers[1] == answers[0]


def test_tail_calls_end_at_the_kernels_limit(pair: Any) -> None:
    answers = []
    for lab in (pair.kernel, pair.sim):
        with (
            lab.map("PROG_ARRAY", max_entries=1, name="programs") as programs,
            lab.map("ARRAY", value="u64", max_entries=1, name="calls") as calls,
        ):
            counting = [ld_map_value(r7, "calls", 0), ldx(DW, r2, r7, 0), add(r2, 1), stx(DW, r7, r2, 0)]
            looping = lab.program([*counting, *tail(0)], type="xdp")
            programs[0] = looping
            answers.append((looping.run(PACKET).retval, calls[0]))
            looping.close()
    assert answers[1] == answers[0]
    assert answers[0] == (77, 34)
