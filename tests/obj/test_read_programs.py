"""Programs of an object: found by section, joined with what they call, with lines and functions in place."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpflab.abi.attach_types import AttachType
from bpflab.abi.btf import BtfKind, FuncLinkage
from bpflab.abi.insn import WideSource
from bpflab.abi.prog_types import ProgType
from bpflab.errors import ObjectError
from bpflab.obj import Btf
from bpflab.obj.btf_types import Func
from bpflab.obj.insns import Code, patch_imm
from bpflab.obj.spec import RelocationKind

if TYPE_CHECKING:
    from tests.obj.conftest import Read

    from bpflab.abi.layout import ByteOrder
    from bpflab.obj.spec import ProgramSpec

PROGRAMS = Path(__file__).parent / "programs"
BOTH_ORDERS = pytest.mark.parametrize("byteorder", ["little", "big"])


def code_of(program: ProgramSpec, byteorder: ByteOrder = "little") -> Code:
    return Code(program.insns, byteorder)


@BOTH_ORDERS
def test_programs_are_found_in_the_order_of_the_file(read: Read, byteorder: ByteOrder) -> None:
    spec = read("linked", byteorder)
    assert list(spec.programs) == ["first", "second", "third", "fourth"]
    assert spec.byteorder == byteorder


def test_a_program_has_the_type_of_its_section(read: Read) -> None:
    programs = read("linked").programs
    assert [(each.type, each.attach_type) for each in programs.values()] == [
        (ProgType.XDP, AttachType.XDP),
        (ProgType.XDP, AttachType.XDP),
        (ProgType.SCHED_CLS, AttachType.TCX_INGRESS),
        (ProgType.UNSPEC, None),
    ]


def test_a_question_mark_means_not_to_load(read: Read) -> None:
    assert [name for name, each in read("linked").programs.items() if not each.autoload] == ["third"]


@BOTH_ORDERS
def test_license_and_version_are_read(read: Read, byteorder: ByteOrder) -> None:
    spec = read("linked", byteorder)
    assert (spec.license, spec.version) == ("Dual MIT/GPL", 5 << 16 | 4 << 8 | 1)
    assert {each.license for each in spec.programs.values()} == {"Dual MIT/GPL"}


def test_an_object_without_license_and_version_has_none(read: Read) -> None:
    assert (read("maps").license, read("maps").version) == ("", 0)


@BOTH_ORDERS
def test_what_a_program_calls_stands_behind_it_once(read: Read, byteorder: ByteOrder) -> None:
    programs = read("linked", byteorder).programs
    assert [each.name for each in programs["first"].functions] == ["first", "four_times", "twice"]
    assert sorted(each.name for each in programs["second"].functions[1:]) == ["add", "hidden_global", "twice"]
    assert [each.name for each in programs["third"].functions] == ["third"]


@BOTH_ORDERS
@pytest.mark.parametrize("name", ["first", "second"])
def test_calls_go_to_the_start_of_a_function(read: Read, name: str, byteorder: ByteOrder) -> None:
    program = read("linked", byteorder).programs[name]
    code, starts = code_of(program, byteorder), {each.insn for each in program.functions}
    targets = {slot + 1 + code.imm(slot) for slot in code if code.is_subprogram_call(slot)}
    callbacks = {each.insn for each in program.functions if each.name == "add"}
    assert targets == starts - {0} - callbacks


@BOTH_ORDERS
def test_the_address_of_a_callback_is_its_distance(read: Read, byteorder: ByteOrder) -> None:
    program = read("linked", byteorder).programs["second"]
    code = code_of(program, byteorder)
    (slot,) = [slot for slot in code if code.is_wide(slot) and code.src(slot) == WideSource.FUNC]
    assert program.function_at(slot + 1 + code.imm(slot)) == next(
        each for each in program.functions if each.name == "add"
    )


@BOTH_ORDERS
def test_each_map_is_left_to_the_loader(read: Read, byteorder: ByteOrder) -> None:
    program = read("linked", byteorder).programs["second"]
    code = code_of(program, byteorder)
    kinds = {(each.symbol, each.kind, each.offset) for each in program.relocations}
    assert kinds == {("counts", RelocationKind.MAP_FD, 0), (".bss", RelocationKind.MAP_VALUE, 0)}
    assert all(code.is_wide(each.insn) and code.imm(each.insn) == 0 for each in program.relocations)


@BOTH_ORDERS
def test_variables_are_reached_by_their_offset(read: Read, byteorder: ByteOrder) -> None:
    spec = read("variables", byteorder)
    program = spec.programs["reader"]
    code = code_of(program, byteorder)
    names = {(name, var.offset): var.name for name, data in spec.maps.items() for var in data.variables.values()}
    reached = {names[each.symbol, each.offset] for each in program.relocations}
    assert reached == set(names.values())
    assert all(code.imm(each.insn + 1) == each.offset for each in program.relocations)


@BOTH_ORDERS
def test_an_fd_is_patched_into_the_low_word(byteorder: ByteOrder) -> None:
    insns = bytearray(range(32))
    patch_imm(insns, 2, 0x01020304, byteorder)
    assert Code(bytes(insns), byteorder).imm(2) == 0x01020304
    assert insns[:20] + insns[24:] == bytes(range(20)) + bytes(range(24, 32))


@BOTH_ORDERS
def test_function_info_names_each_function_of_the_program(read: Read, byteorder: ByteOrder) -> None:
    spec = read("linked", byteorder)
    btf = Btf(spec.btf or b"")
    for program in spec.programs.values():
        sign = "<" if byteorder == "little" else ">"
        records = list(struct.iter_unpack(f"{sign}II", program.func_info))
        assert [(slot, btf.name(type_id)) for slot, type_id in records] == [
            (each.insn, each.name) for each in program.functions
        ]


@BOTH_ORDERS
def test_line_info_starts_each_function_and_stays_within_the_program(read: Read, byteorder: ByteOrder) -> None:
    for program in read("linked", byteorder).programs.values():
        sign = "<" if byteorder == "little" else ">"
        slots = [record[0] for record in struct.iter_unpack(f"{sign}4I", program.line_info)]
        assert {each.insn for each in program.functions} <= set(slots)
        assert slots == sorted(slots)
        assert slots[-1] < len(program.insns) // 8
        assert [each.insn for each in program.lines] == slots


def test_a_slot_leads_to_its_source_line(read: Read) -> None:
    program = read("linked").programs["first"]
    called = next(each for each in program.functions if each.name == "twice")
    line = program.line_at(called.insn + 1)
    assert line is not None
    assert line.file.endswith("programs/linked.bpf.c")
    assert line.text.strip() in {"barrier_var(x);", "return x * 2;"}


def test_a_source_line_has_its_place_and_text(read: Read) -> None:
    program = read("linked").programs["third"]
    source = (PROGRAMS / "linked.bpf.c").read_text().splitlines()
    line = program.lines[-1]
    assert (line.text, source[line.line - 1][line.column - 1 :]) == ("\treturn 7;", "return 7;")


def test_a_hidden_global_function_is_static_to_the_kernel(read: Read) -> None:
    btf = Btf(read("linked").btf or b"")
    linkage = {name: btf.get(btf.require(name, BtfKind.FUNC), Func).linkage for name in ("four_times", "hidden_global")}
    assert linkage == {"four_times": FuncLinkage.GLOBAL, "hidden_global": FuncLinkage.STATIC}


def test_a_missing_program_is_answered_with_those_there_are(read: Read) -> None:
    with pytest.raises(ObjectError, match="has no program 'fisrt'; it has first, fourth, second, third"):
        read("linked").program("fisrt")
