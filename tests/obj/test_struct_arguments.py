"""BPF_PROG2 gives programs the structs that a traced function takes by value."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from bpflab import Lab
from bpflab.errors import CompileError
from bpflab.obj import Btf, compile_c
from bpflab.obj import btf_types as t
from bpflab.programs.verifier import VerifierError
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.abi.layout import ByteOrder

HEAD = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
struct wide { __u64 start; __u32 length; };
struct half { __u16 a, b; };
struct odd { __u8 bytes[3]; };
union one { __u8 byte; };
struct big { __u64 words[3]; };
__u64 seen[8];
char _license[] SEC("license") = "GPL";
"""
PROGRAM = """
SEC("fentry/takes_structs")
int BPF_PROG2(watch, int, count, struct wide, range, struct half, pair, void *, where, union one, tiny, long, last)
{
	seen[0] = count, seen[1] = range.start, seen[2] = range.length, seen[3] = pair.a, seen[4] = pair.b;
	seen[5] = (long)where, seen[6] = tiny.byte, seen[7] = last;
	return 0;
}
"""


def kernel(byteorder: ByteOrder) -> Btf:
    number, long, short, byte = (t.Int(name=name, size=size, bits=8 * size) for name, size in SIZES)
    wide = t.Struct(name="wide", size=16, members=(t.Member("start", 2, 0), t.Member("length", 1, 64)))
    half = t.Struct(name="half", size=4, members=(t.Member("a", 3, 0), t.Member("b", 3, 16)))
    one = t.Union(name="one", size=1, members=(t.Member("byte", 4, 0),))
    names = {"count": 1, "range": 5, "pair": 6, "where": 8, "tiny": 7, "last": 2}
    takes = t.FuncProto(return_id=0, parameters=tuple(t.Parameter(*each) for each in names.items()))
    types = [number, long, short, byte, wide, half, one, t.Pointer(type_id=0), takes]
    return Btf.build([*types, t.Func(name="takes_structs", type_id=9)], byteorder)


SIZES = (("int", 4), ("long", 8), ("short", 2), ("char", 1))


@pytest.fixture(params=["little", "big"])
def lab(request: pytest.FixtureRequest) -> Lab:
    machine = Machine(byteorder=request.param, btf=kernel(request.param).data)
    return Lab(SimBackend(machine))


def write(place: Path, program: str) -> Path:
    source = place / "structs.bpf.c"
    source.write_text(HEAD + program)
    return source


def test_structs_are_put_together_from_their_places(lab: Lab, tmp_path: Path) -> None:
    order = lab.backend.byteorder
    pair = int.from_bytes(struct.pack("<HH" if order == "little" else ">HH", 7, 8), order)
    length = 5 if order == "little" else 5 << 32
    with lab:
        loaded = lab.load(compile_c(write(tmp_path, PROGRAM), cache=tmp_path, byteorder=order))
        loaded.programs.watch.run(args=[3, 1 << 40, length, pair, 0xFFFF0000, 6, (1 << 64) - 1])
        assert list(loaded.bss.seen) == [3, 1 << 40, 5, 7, 8, 0xFFFF0000, 6, (1 << 64) - 1]


def test_what_lies_behind_the_last_place_is_no_argument(lab: Lab, tmp_path: Path) -> None:
    program = PROGRAM.replace("long, last)", "long, last, int, more)").replace("seen[7] = last", "seen[7] = more")
    with lab, pytest.raises(VerifierError, match="invalid bpf_context access off=56"):
        lab.load(compile_c(write(tmp_path, program), cache=tmp_path, byteorder=lab.backend.byteorder))


def test_a_struct_of_three_bytes_lies_as_in_memory(tmp_path: Path) -> None:
    program = (
        'SEC("fentry/takes_structs") int BPF_PROG2(watch, struct odd, odd)\n'
        "{ seen[0] = odd.bytes[0]; seen[1] = odd.bytes[2]; return 0; }\n"
    )
    with Lab(SimBackend(Machine(byteorder="little", btf=kernel("little").data))) as lab:
        loaded = lab.load(compile_c(write(tmp_path, program), cache=tmp_path, byteorder="little"))
        loaded.programs.watch.run(args=[0x030201])
        assert list(loaded.bss.seen)[:2] == [1, 3]


@pytest.mark.parametrize("count", [0, 1, 12], ids="{} arguments".format)
def test_up_to_twelve_arguments_are_taken(tmp_path: Path, count: int) -> None:
    arguments = "".join(f", long, a{each}" for each in range(count))
    total = "+".join(["0", *(f"a{each}" for each in range(count))])
    program = f'SEC("tp_btf/x") int BPF_PROG2(watch{arguments}) {{ return {total}; }}'
    assert compile_c(write(tmp_path, program), cache=tmp_path).is_file()


def test_a_struct_that_is_not_passed_by_value_is_refused_when_compiled(tmp_path: Path) -> None:
    program = 'SEC("fentry/x") int BPF_PROG2(watch, struct big, all) { return all.words[0]; }'
    with pytest.raises(CompileError, match="larger structs are not passed by value"):
        compile_c(write(tmp_path, program), cache=tmp_path)
