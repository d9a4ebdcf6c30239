"""Types written as C have, for a compiler, the layout that their BTF says."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from bpflab.abi.btf import BtfKind
from bpflab.cli import main
from bpflab.obj import btf_types as t
from bpflab.obj import compile_c, read_object
from bpflab.obj.btf import KERNEL_BTF, Btf
from bpflab.obj.btf_layout import resolve
from bpflab.obj.c_declare import CWriter, described
from bpflab.obj.c_header import header

SAMPLE = 250
TAGS = {BtfKind.STRUCT: "struct", BtfKind.UNION: "union"}
OF_THE_COMPILER = {"warn_args"}
"""Structs that hold a va_list, whose size is the compiler's."""

needs_kernel_types = pytest.mark.skipif(not KERNEL_BTF.exists(), reason="needs the BTF of the running kernel")


@pytest.fixture(scope="module")
def kernel() -> Btf:
    return Btf.of_kernel()


@pytest.fixture(scope="module")
def header_directory(kernel: Btf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("header")
    (directory / "vmlinux.h").write_text("\n".join(header(kernel)), encoding="utf-8")
    return directory


def sample(kernel: Btf) -> list[int]:
    """Choose structs and unions of names that the kernel has once."""
    named = [each for each in kernel if kernel.kind(each) in TAGS and kernel.name(each)]
    single = [each for each in named if len(kernel.ids(kernel.name(each), *TAGS)) == 1]
    return random.Random(0).sample([each for each in single if kernel.name(each) not in OF_THE_COMPILER], SAMPLE)


def shape(btf: Btf, type_id: int) -> tuple[int, list[tuple[str, int, int]]]:
    """Return size and fields with their bits: paddings left out."""
    found = btf.get(type_id, t.Composite)
    members = [
        each for each in found.members if not each.name.startswith("__pad_") and (each.name or not each.bit_size)
    ]
    return found.size, [(each.name, each.bit_offset, each.bit_size) for each in members]


@needs_kernel_types
def test_structs_of_the_kernels_header_are_laid_out_as_in_the_kernel(kernel: Btf, header_directory: Path) -> None:
    chosen = sample(kernel)
    variables = [f"{TAGS[kernel.kind(each)]} {kernel.name(each)} v{each};" for each in chosen]
    source = header_directory / "sample.bpf.c"
    source.write_text('#include "vmlinux.h"\n' + "\n".join(variables), encoding="utf-8")
    raw = read_object(compile_c(source)).btf
    assert raw is not None
    compiled = Btf(raw)
    differing = []
    for each in chosen:
        variable = compiled.get(compiled.require(f"v{each}", BtfKind.VAR), t.Var)
        if shape(compiled, resolve(compiled, variable.type_id)) != shape(kernel, each):
            differing.append(kernel.name(each))
    assert not differing


@needs_kernel_types
def test_a_core_program_compiles_with_nothing_but_the_header(header_directory: Path) -> None:
    source = header_directory / "core.bpf.c"
    source.write_text(
        '#include "vmlinux.h"\n__attribute__((section("tp_btf/sched_switch"), used))\n'
        "int f(unsigned long long *ctx) { return ((struct task_struct *)ctx[1])->pid; }\n"
        'char _license[] __attribute__((section("license"), used)) = "GPL";\n',
        encoding="utf-8",
    )
    assert read_object(compile_c(source)).programs["f"].core_relocations


@pytest.mark.parametrize(
    ("types", "last", "text"),
    [
        ([t.Int(name="int", size=4, bits=32)], 1, "int x"),
        ([t.Int(name="int", size=4, bits=32), t.Pointer(type_id=1)], 2, "int *x"),
        ([t.Int(name="int", size=4, bits=32), t.Const(type_id=1), t.Pointer(type_id=2)], 3, "const int *x"),
        ([t.Int(name="int", size=4, bits=32), t.Pointer(type_id=1), t.Const(type_id=2)], 3, "int *const x"),
        ([t.Int(name="int", size=4, bits=32), t.Array(type_id=1, index_type_id=1, length=3)], 2, "int x[3]"),
        (
            [
                t.Int(name="int", size=4, bits=32),
                t.Array(type_id=1, index_type_id=1, length=3),
                t.Array(type_id=2, index_type_id=1, length=2),
            ],
            3,
            "int x[2][3]",
        ),
        (
            [
                t.Int(name="int", size=4, bits=32),
                t.Array(type_id=1, index_type_id=1, length=3),
                t.Pointer(type_id=2),
            ],
            3,
            "int (*x)[3]",
        ),
        (
            [
                t.Int(name="int", size=4, bits=32),
                t.FuncProto(return_id=1, parameters=(t.Parameter("a", 1), t.Parameter("", 0))),
                t.Pointer(type_id=2),
            ],
            3,
            "int (*x)(int a, ...)",
        ),
        (
            [t.FuncProto(return_id=0), t.Pointer(type_id=1), t.Array(type_id=2, index_type_id=1, length=4)],
            3,
            "void (*x[4])(void)",
        ),
    ],
)
def test_a_declaration_reads_as_in_c(types: list[t.BtfType], last: int, text: str) -> None:
    assert CWriter(Btf.build(types)).declaration(last, "x") == text


def test_a_layout_shows_the_place_and_size_of_each_member() -> None:
    types = [
        t.Int(name="int", size=4, bits=32),
        t.Struct(name="s", size=12, members=(t.Member("a", 1, 0), t.Member("b", 1, 64, 3))),
    ]
    assert described(Btf.build(types), "s") == (
        "struct s {\n\tint a; /* 0, 4 */\n\tchar __pad_1[4];\n\tint b: 3; /* 8.0, 3 bits */\n}; /* 12 bytes */"
    )


def test_the_second_type_of_a_name_is_a_flavour_of_it() -> None:
    types = [
        t.Int(name="int", size=4, bits=32),
        t.Struct(name="s", size=4, members=(t.Member("a", 1, 0),)),
        t.Struct(name="s", size=4, members=(t.Member("b", 1, 0),)),
    ]
    text = "\n".join(header(Btf.build(types)))
    assert "struct s {\n\tint a;\n};" in text
    assert "struct s___2 {\n\tint b;\n};" in text


@needs_kernel_types
def test_the_command_shows_layouts_prototypes_and_near_names() -> None:
    runner = CliRunner()
    shown = runner.invoke(main, ["btf", "show", "kobject", "tcp_sendmsg"]).output
    assert "struct list_head entry; /* 8, 16 */" in shown
    assert "int tcp_sendmsg(struct sock *" in shown
    assert "Similar: kobject" in runner.invoke(main, ["btf", "show", "kobjekt"]).output


def test_the_command_writes_the_types_of_an_object(tmp_path: Path) -> None:
    source = tmp_path / "o.bpf.c"
    source.write_text("struct pair { int left, right; } both;\n", encoding="utf-8")
    written = tmp_path / "o.h"
    assert CliRunner().invoke(main, ["btf", "dump", str(compile_c(source)), "-o", str(written)]).exit_code == 0
    assert "struct pair {\n\tint left;\n\tint right;\n};" in written.read_text("utf-8")
