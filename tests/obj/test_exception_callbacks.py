"""The function that a program names for its exceptions is laid behind it, though nothing calls it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from bpflab.obj import Btf

if TYPE_CHECKING:
    from tests.obj.conftest import Read

    from bpflab.abi.layout import ByteOrder

BOTH_ORDERS = pytest.mark.parametrize("byteorder", ["little", "big"])
FUNCTIONS = {
    "with_handler": ["check", "handler", "halve"],
    "shares_a_call": ["halve", "check", "handler"],
    "without_handler": ["check"],
    "names_two": ["check"],
    "names_nothing": ["check"],
    "names_a_program": ["check"],
}


@BOTH_ORDERS
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_callback_and_what_it_calls_come_last_and_once(read: Read, name: str, byteorder: ByteOrder) -> None:
    program = read("exceptions", byteorder).programs[name]
    assert [each.name for each in program.functions] == [name, *FUNCTIONS[name]]


@BOTH_ORDERS
def test_the_callback_has_records_of_functions_and_lines(read: Read, byteorder: ByteOrder) -> None:
    spec = read("exceptions", byteorder)
    program, btf, sign = spec.programs["with_handler"], Btf(spec.btf or b""), "<" if byteorder == "little" else ">"
    functions = {btf.name(type_id): slot for slot, type_id in struct.iter_unpack(f"{sign}2I", program.func_info)}
    lines = {record[0] for record in struct.iter_unpack(f"{sign}4I", program.line_info)}
    assert functions["handler"] in lines
    assert functions["halve"] in lines


@BOTH_ORDERS
def test_the_variables_of_the_callback_are_reached(read: Read, byteorder: ByteOrder) -> None:
    program = read("exceptions", byteorder).programs["with_handler"]
    start = next(each.insn for each in program.functions if each.name == "handler")
    assert [each.symbol for each in program.relocations if each.insn >= start] == [".bss"]
