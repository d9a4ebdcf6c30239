"""CO-RE: programs are changed to fit a kernel's types, found by name; what is missing is answered or poisoned."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from bpflab.abi.core import POISON_IMM
from bpflab.errors import ObjectError
from bpflab.obj import Btf, compile_c, read_object
from bpflab.obj.btf_types import Int, Member, Pointer, Struct
from bpflab.obj.core import keep_own_types, relocate
from bpflab.obj.insns import Code

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bpflab.abi.layout import ByteOrder
    from bpflab.obj import ObjectSpec

    Ask: TypeAlias = Callable[[str, str], ObjectSpec]
    Kernel: TypeAlias = Callable[[str], Btf]

INCLUDES = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n"
CORE = "#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)\n"
SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Compile a program `asks` that returns an expression over the types declared."""

    def compile_question(declarations: str, expression: str) -> ObjectSpec:
        source = tmp_path / "asks.bpf.c"
        program = f'SEC("xdp") int asks(void *ctx) {{ return {expression}; }}'
        source.write_text(f"{INCLUDES}{CORE}{declarations}\n#pragma clang attribute pop\n{program}\n")
        return read_object(compile_c(source, cache=tmp_path, flags=["-Wno-pragma-clang-attribute"]))

    return compile_question


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """Give the BTF of a kernel that has the types declared, each kept by a variable."""

    def compile_types(declarations: str) -> Btf:
        source = tmp_path / "kernel.bpf.c"
        named = re.findall(r"^(struct|union|enum) (\w+) {", declarations, re.MULTILINE)
        kept = "\n".join(f"{kind} {name} *keep_{name};" for kind, name in named)
        source.write_text(f"{declarations}\n{kept}\nint keep;\n")
        return Btf(read_object(compile_c(source, cache=tmp_path)).btf or b"")

    return compile_types


def returned(spec: ObjectSpec) -> int:
    """Give the number that the program sets r0 to."""
    return Code(spec.programs["asks"].insns, spec.byteorder).imm(0)


FIELD = "struct s { int a; long b; };"


QUESTIONS = {
    "moved": (
        FIELD,
        "bpf_core_field_offset(struct s, b)",
        "struct s { char x[40]; long b; };",
        40,
    ),
    "moved into an anonymous struct": (
        FIELD,
        "bpf_core_field_offset(struct s, b)",
        "struct s { int x; union { int y; struct { long z; int b; }; }; };",
        16,
    ),
    "moved out of an anonymous struct": (
        "struct s { struct { struct { int a; }; int c[4]; }; };",
        "bpf_core_field_offset(struct s, c[3])",
        "struct s { int x, c[8]; };",
        16,
    ),
    "an element of an array of structs": (
        "struct in { int x; }; struct s { struct in in[2]; };",
        "bpf_core_field_offset(struct s, in[1].x)",
        "struct in { long y; int x; };\nstruct s { int z; struct in in[5]; };",
        32,
    ),
    "an element of a flexible array": (
        "struct s { int n; char data[0]; };",
        "bpf_core_field_offset(struct s, data[5])",
        "struct s { long n; char data[]; };",
        13,
    ),
    "of another size": (
        FIELD,
        "bpf_core_field_size(struct s, b)",
        "struct s { int b; };",
        4,
    ),
    "as it was": (
        FIELD,
        "bpf_core_field_size(struct s, b)",
        "struct s { int a; long b; };",
        8,
    ),
    "there": (
        FIELD,
        "bpf_core_field_exists(struct s, a)",
        "struct s { int a; };",
        1,
    ),
    "not there": (
        FIELD,
        "bpf_core_field_exists(struct s, a)",
        "struct s { int b; };",
        0,
    ),
    "no such type": (
        FIELD,
        "bpf_core_field_exists(struct s, a)",
        "struct t { int a; };",
        0,
    ),
    "another integer": (
        FIELD,
        "bpf_core_field_exists(struct s, a)",
        "struct s { long a; };",
        1,
    ),
    "no integer there": (
        FIELD,
        "bpf_core_field_exists(struct s, a)",
        "struct s { void *a; };",
        0,
    ),
    "a union there": (
        FIELD,
        "bpf_core_field_exists(struct s, a)",
        "union s { int a; };",
        0,
    ),
    "an element past the kernel's array": (
        "struct s { int a[4]; };",
        "bpf_core_field_exists(struct s, a[3])",
        "struct s { int a[3]; };",
        0,
    ),
    "a flavour of the type": (
        "struct s___old { int gone; };",
        "bpf_core_field_exists(struct s___old, gone)",
        "struct s { int gone; };",
        1,
    ),
    "a flavour of the field's enum": (
        "struct s { enum e___mine { A } e; };",
        "bpf_core_field_exists(struct s, e)",
        "enum e { B };\nstruct s { enum e e; };",
        1,
    ),
    "another enum in the field": (
        "struct s { enum e { A } e; };",
        "bpf_core_field_exists(struct s, e)",
        "enum f { B };\nstruct s { enum f e; };",
        0,
    ),
    "type there": (
        FIELD,
        "bpf_core_type_exists(struct s)",
        "struct s { char x; };",
        1,
    ),
    "type not there": (
        FIELD,
        "bpf_core_type_exists(struct s)",
        "struct s_ { char x; };",
        0,
    ),
    "type's size": (
        FIELD,
        "bpf_core_type_size(struct s)",
        "struct s { char x[77]; };",
        77,
    ),
    "no size": (
        FIELD,
        "bpf_core_type_size(struct s)",
        "struct t { char x; };",
        0,
    ),
    "type matches": (
        FIELD,
        "bpf_core_type_matches(struct s)",
        "struct s { long b; int a, c; };",
        1,
    ),
    "type does not match": (
        FIELD,
        "bpf_core_type_matches(struct s)",
        "struct s { int a, b; };",
        0,
    ),
    "enum value": (
        "enum e { A = 1, B = 2 };",
        "bpf_core_enum_value(enum e, B)",
        "enum e { X, Y, B = 9 };",
        9,
    ),
    "enum value there": (
        "enum e { A };",
        "bpf_core_enum_value_exists(enum e, A)",
        "enum e { A = 5 };",
        1,
    ),
    "enum value not there": (
        "enum e { A };",
        "bpf_core_enum_value_exists(enum e, A)",
        "enum e { B };",
        0,
    ),
    "enum value of a flavour": (
        "enum e___x { A___x = 3 };",
        "bpf_core_enum_value(enum e___x, A___x)",
        "enum e { A = 70000 };",
        70000,
    ),
    "signedness": (
        "struct s { unsigned a : 3; int b : 4; };",
        "__builtin_preserve_field_info(((struct s *)0)->b, BPF_FIELD_SIGNED)",
        "struct s { unsigned b : 9; };",
        0,
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_answered_from_the_kernels_types(ask: Ask, kernel: Kernel, name: str) -> None:
    local, question, target, expected = QUESTIONS[name]
    assert returned(relocate(ask(local, question), kernel(target))) == expected


def test_a_typedef_is_found_by_its_name(ask: Ask, kernel: Kernel) -> None:
    spec = ask("typedef struct { int a; } named;", "bpf_core_type_size(named)")
    target = kernel("typedef struct { long a, b; } named;\nnamed *keep_named;")
    assert returned(relocate(spec, target)) == 16


def test_ids_of_types_are_those_of_either_side(ask: Ask, kernel: Kernel) -> None:
    target = kernel("struct other { int a; };\nstruct s { int a; };")
    here = ask(FIELD, "bpf_core_type_id_local(struct s)")
    there = ask(FIELD, "bpf_core_type_id_kernel(struct s)")
    assert returned(relocate(here, target)) == Btf(here.btf or b"").require("s")
    assert returned(relocate(there, target)) == target.require("s")


LOAD = "((struct s *)ctx)->a"


def loaded(spec: ObjectSpec) -> tuple[int, int]:
    """Give offset and bytes of the program's first load."""
    code = Code(spec.programs["asks"].insns, spec.byteorder)
    return code.off(0), SIZES[code.opcode(0) & 0x18]


@pytest.mark.parametrize(
    ("local", "target", "expected"),
    [
        ("int a;", "char x[12]; int a;", (12, 4)),
        ("unsigned a;", "long x; unsigned short a;", (8, 2)),
        ("unsigned char a;", "unsigned long a;", (0, 8)),
        ("void *a;", "int x; struct t *a;", (8, 8)),
        ("_Bool a;", "unsigned char x; _Bool a;", (1, 1)),
    ],
)
def test_a_load_has_the_offset_and_size_of_the_kernels_field(
    ask: Ask, kernel: Kernel, local: str, target: str, expected: tuple[int, int]
) -> None:
    expression = LOAD if "*" not in local else f"{LOAD} != 0"
    spec = ask(f"struct s {{ {local} }};", expression)
    assert loaded(relocate(spec, kernel(f"struct s {{ {target} }};"))) == expected


def test_a_pointer_of_a_32_bit_kernel_is_loaded_as_its_32_bits(ask: Ask) -> None:
    spec = ask("struct s { void *a; };", f"{LOAD} != 0")
    kernel_of_32_bits = Btf.build(
        [
            Int(name="long", size=4, bits=32),
            Pointer(type_id=1),
            Struct(name="s", size=8, members=(Member("a", 2, 32),)),
        ],
        spec.byteorder,
    )
    assert loaded(relocate(spec, kernel_of_32_bits)) == (4, 4)


@pytest.mark.parametrize(
    ("local", "target", "reason"),
    [
        ("int a;", "long b;", "the kernel has no field s.a"),
        ("int a;", "long a;", "s.a has 8 bytes in the kernel, and cannot be accessed as 4"),
        ("unsigned a;", "long a;", "s.a has 8 bytes in the kernel, and cannot be accessed as 4"),
    ],
)
def test_a_load_of_what_is_not_there_is_poisoned(
    ask: Ask, kernel: Kernel, local: str, target: str, reason: str
) -> None:
    spec = relocate(ask(f"struct s {{ {local} }};", LOAD), kernel(f"struct s {{ {target} }};"))
    program = spec.programs["asks"]
    code = Code(program.insns, spec.byteorder)
    assert [(each.insn, each.reason) for each in program.poisoned] == [(0, reason)]
    assert (code.is_call(0), code.src(0), code.off(0), code.imm(0)) == (True, 0, 0, POISON_IMM)


def test_a_wide_load_of_what_is_not_there_is_poisoned_in_both_slots(ask: Ask, kernel: Kernel) -> None:
    spec = ask("enum e { A = 1ull << 40 };", "bpf_core_enum_value(enum e, A) >> 8")
    code = Code(relocate(spec, kernel("enum e { B };")).programs["asks"].insns, spec.byteorder)
    assert [code.imm(0), code.imm(1)] == [POISON_IMM, POISON_IMM]


def test_a_wide_load_holds_the_kernels_value(ask: Ask, kernel: Kernel) -> None:
    spec = ask("enum e { A = 1ull << 40 };", "bpf_core_enum_value(enum e, A) >> 8")
    code = Code(relocate(spec, kernel("enum e { A = 7ull << 41 };")).programs["asks"].insns, spec.byteorder)
    assert (code.imm(0), code.imm(1)) == (0, 7 << 9)


def test_types_that_give_different_answers_are_refused(ask: Ask, kernel: Kernel) -> None:
    target = kernel("struct s { long b; int a; };\nstruct s___2 { int a; };")
    with pytest.raises(ObjectError, match=r"field s.a is ambiguous: the kernel's types \d+ and \d+ of that name give"):
        relocate(ask(FIELD, "bpf_core_field_offset(struct s, a)"), target)


def test_types_that_give_the_same_answer_are_fine(ask: Ask, kernel: Kernel) -> None:
    target = kernel("struct s { long b; int a; };\nstruct s___2 { long c; int a; };\nstruct s___3 { int d; };")
    assert returned(relocate(ask(FIELD, "bpf_core_field_offset(struct s, a)"), target)) == 8


def test_the_object_stays_as_it_was(ask: Ask, kernel: Kernel) -> None:
    spec = ask(FIELD, "bpf_core_type_size(struct s)")
    before = spec.programs["asks"]
    after = relocate(spec, kernel("struct s { char x[77]; };"))
    assert spec.programs["asks"] is before
    assert spec.needs_kernel_types
    assert not after.needs_kernel_types


def test_an_object_that_asks_nothing_needs_no_types(ask: Ask) -> None:
    spec = ask("", "0")
    assert relocate(spec, Btf.build([Int(name="int", size=4, bits=32)])) is spec


def test_a_kernel_may_be_taken_to_have_the_programs_own_types(ask: Ask) -> None:
    spec = ask(FIELD, "bpf_core_field_offset(struct s, b) + bpf_core_type_exists(struct s)")
    kept = keep_own_types(spec)
    assert (kept.needs_kernel_types, spec.needs_kernel_types) == (False, True)
    assert kept.programs["asks"].insns == spec.programs["asks"].insns


def test_types_of_the_other_byte_order_are_refused(ask: Ask) -> None:
    spec = ask(FIELD, "bpf_core_type_size(struct s)")
    other: ByteOrder = "big" if spec.byteorder == "little" else "little"
    with pytest.raises(ObjectError, match=f"{spec.byteorder}-endian programs do not fit {other}-endian types"):
        relocate(spec, Btf.build([], other))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"access": "0:9"}, "s has no part 9: it is STRUCT 's'"),
        ({"access": "0:x"}, "the access string '0:x' is malformed"),
        ({"access": ""}, "the access string '' is malformed"),
        ({"access": "0:1"}, "the instruction holds 0, and its CO-RE relocation says 8"),
        ({"insn": 99}, "names an instruction past the end of the program"),
        ({"insn": 1}, "names an instruction that holds no number it could change"),
        ({"type_id": 9999}, "there is no type 9999"),
    ],
)
def test_a_malformed_relocation_names_program_and_instruction(
    ask: Ask, kernel: Kernel, changes: dict[str, Any], message: str
) -> None:
    spec = ask(FIELD, "bpf_core_field_offset(struct s, a)")
    program = spec.programs["asks"]
    wrong = replace(program.core_relocations[0], **changes)
    spec.programs["asks"] = replace(program, core_relocations=(wrong,))
    with pytest.raises(ObjectError, match=rf"program 'asks', instruction {wrong.insn}.*{re.escape(message)}"):
        relocate(spec, kernel("struct s { int a; long b; };"))


@pytest.mark.parametrize("changes", [{"access": "0:0"}, {"access": "7"}, {"type_id": 1}])
def test_a_malformed_relocation_of_an_enumerator_is_refused(ask: Ask, kernel: Kernel, changes: dict[str, Any]) -> None:
    spec = ask("enum e { A };", "bpf_core_enum_value_exists(enum e, A)")
    program = spec.programs["asks"]
    wrong = replace(program.core_relocations[0], **changes)
    spec.programs["asks"] = replace(program, core_relocations=(wrong,))
    with pytest.raises(ObjectError, match="is no enum with a value of number"):
        relocate(spec, kernel("enum e { A };"))


def test_a_field_too_far_for_an_instruction_is_refused(ask: Ask, kernel: Kernel) -> None:
    with pytest.raises(ObjectError, match="the field lies at byte 40000 of the kernel's type; 32767 can be reached"):
        relocate(ask("struct s { int a; };", LOAD), kernel("struct s { char x[40000]; int a; };"))
