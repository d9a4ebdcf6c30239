"""What a program wants of a kernel: its symbols and its configuration, filled in or refused in words."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from bpflab.abi.btf import BtfKind, FuncLinkage, IntEncoding, VarLinkage
from bpflab.abi.core import POISON_IMM
from bpflab.abi.flags import MapFlag
from bpflab.abi.insn import CallSource, WideSource
from bpflab.errors import ObjectError
from bpflab.obj import Btf, KernelConfig, ObjectSpec, compile_c, configure, read_addresses, read_object, relocate
from bpflab.obj import btf_types as t
from bpflab.obj.insns import Code
from bpflab.obj.relocations import ExternKind, RelocationKind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.obj.conftest import Read

    from bpflab.abi.layout import ByteOrder

BOTH_ORDERS = pytest.mark.parametrize("byteorder", ["little", "big"])
ADDRESSES = {"some_address": 0xFFFFFFFF81234567}


def kernel(*, changed: t.BtfType | None = None, byteorder: ByteOrder = "little") -> Btf:
    """Give a kernel's BTF with what the program wants; `changed` takes the place of the type of its name."""
    types: list[t.BtfType] = [
        t.Int(name="int", size=4, bits=32, encoding=IntEncoding.SIGNED),
        t.Struct(name="task_struct", size=4, members=(t.Member("pid", 1, 0),)),
        t.Pointer(type_id=2),
        t.FuncProto(return_id=3, parameters=(t.Parameter("task", 3),)),
        t.Func(name="take_task", type_id=4),
        t.Struct(name="rq", size=4),
        t.Var(name="runqueues", type_id=6),
    ]
    if changed is not None:
        types = [changed if each.name == changed.name else each for each in types]
    return Btf.build(types, byteorder)


def slots(spec: ObjectSpec, kind: RelocationKind) -> dict[str, int]:
    return {each.symbol: each.insn for each in spec.programs["wants"].relocations if each.kind is kind}


@BOTH_ORDERS
def test_what_is_wanted_is_listed_by_kind(read: Read, byteorder: ByteOrder) -> None:
    spec = read("externs", byteorder)
    kinds = {name: each.kind for name, each in spec.externs.items() if each.kind is not ExternKind.KCONFIG}
    assert kinds == {
        "runqueues": ExternKind.KSYM,
        "absent_variable": ExternKind.KSYM,
        "some_address": ExternKind.ADDRESS,
        "absent_address": ExternKind.ADDRESS,
        "take_task": ExternKind.FUNCTION,
        "absent_function": ExternKind.FUNCTION,
    }
    assert spec.needs_addresses == {"some_address", "absent_address"}
    assert {name for name, each in spec.externs.items() if not each.weak} == {
        "LINUX_KERNEL_VERSION",
        "LINUX_HAS_SYSCALL_WRAPPER",
        "CONFIG_HZ",
        "runqueues",
        "some_address",
        "take_task",
    }


def test_only_programs_that_want_something_need_a_kernel(read: Read) -> None:
    programs = read("externs").programs
    assert {name: each.needs_kernel_types for name, each in programs.items()} == {"wants": True, "wants_nothing": False}


@BOTH_ORDERS
def test_symbols_are_found_in_the_kernels_btf(read: Read, byteorder: ByteOrder) -> None:
    spec, target = read("externs", byteorder), kernel(byteorder=byteorder)
    variable, call = slots(spec, RelocationKind.KSYM)["runqueues"], slots(spec, RelocationKind.KFUNC_CALL)["take_task"]
    fitted = relocate(spec, target, addresses=ADDRESSES)
    code = Code(fitted.programs["wants"].insns, byteorder)
    assert (code.src(variable), code.imm(variable)) == (WideSource.BTF_ID, target.require("runqueues"))
    assert (code.src(call), code.imm(call), code.off(call)) == (CallSource.KFUNC, target.require("take_task"), 0)
    assert not fitted.needs_kernel_types


@BOTH_ORDERS
def test_an_address_takes_both_slots(read: Read, byteorder: ByteOrder) -> None:
    spec = read("externs", byteorder)
    slot = slots(spec, RelocationKind.KSYM_ADDRESS)["some_address"]
    fitted = relocate(spec, kernel(byteorder=byteorder), addresses=ADDRESSES)
    code = Code(fitted.programs["wants"].insns, byteorder)
    whole = (code.imm(slot) & 0xFFFFFFFF) | (code.imm(slot + 1) & 0xFFFFFFFF) << 32
    assert (code.src(slot), whole) == (WideSource.IMM, ADDRESSES["some_address"])


def test_weak_symbols_that_are_missing_are_null(read: Read) -> None:
    spec = read("externs")
    missing = [slots(spec, RelocationKind.KSYM)["absent_variable"]]
    missing.append(slots(spec, RelocationKind.KSYM_ADDRESS)["absent_address"])
    code = Code(relocate(spec, kernel(), addresses=ADDRESSES).programs["wants"].insns, "little")
    assert [(code.src(slot), code.imm(slot), code.imm(slot + 1)) for slot in missing] == [(0, 0, 0), (0, 0, 0)]


def test_a_call_of_a_weak_function_that_is_missing_is_poisoned(read: Read) -> None:
    spec = read("externs")
    slot = slots(spec, RelocationKind.KFUNC_CALL)["absent_function"]
    program = relocate(spec, kernel(), addresses=ADDRESSES).programs["wants"]
    assert [(each.insn, each.reason) for each in program.poisoned] == [
        (slot, "the kernel has no function absent_function (looked through: vmlinux; modules were not given)")
    ]
    assert Code(program.insns, "little").imm(slot) == POISON_IMM


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (t.Func(name="take_task", type_id=3), "'take_task' is declared otherwise than in the kernel"),
        (t.Var(name="runqueues", type_id=1), "'runqueues' is declared otherwise than in the kernel"),
        (t.Var(name="take_task", type_id=1), "the kernel has no func 'take_task' in its BTF"),
    ],
)
def test_a_symbol_of_another_type_is_refused(read: Read, changed: t.BtfType, message: str) -> None:
    with pytest.raises(ObjectError, match=message):
        relocate(read("externs"), kernel(changed=changed), addresses=ADDRESSES)


def test_a_missing_symbol_is_answered_with_similar_ones(read: Read) -> None:
    types = [t.Int(name="int", size=4, bits=32), t.Var(name="runqueue", type_id=1)]
    with pytest.raises(ObjectError, match=r"has no var 'runqueues' in its BTF .*modules.*\. Similar: runqueue\."):
        relocate(read("externs"), Btf.build(types, "little"), addresses=ADDRESSES)


def test_an_unknown_address_says_what_to_give(read: Read) -> None:
    with pytest.raises(ObjectError, match="address of the kernel's symbol 'some_address' is not known"):
        relocate(read("externs"), kernel())


def test_the_kernel_gets_btf_without_externs(read: Read) -> None:
    btf = Btf(read("externs").btf or b"")
    linkages = {each.linkage for each in map(btf.__getitem__, btf) if isinstance(each, (t.Var, t.Func))}
    assert linkages == {VarLinkage.GLOBAL, FuncLinkage.GLOBAL}
    for name, size in ((".ksyms", 24), (".kconfig", read("externs").maps[".kconfig"].value_size)):
        section = btf.get(btf.require(name, BtfKind.DATASEC), t.Datasec)
        places = [(each.offset, each.offset + each.size) for each in section.variables]
        assert section.size == size
        assert all(end <= start for (_, end), (start, _) in pairwise(places))
        assert all(isinstance(btf[each.type_id], t.Var) for each in section.variables)


def test_parameters_of_kernel_functions_have_names(read: Read) -> None:
    btf = Btf(read("externs").btf or b"")
    proto = btf.get(btf.get(btf.require("take_task"), t.Func).type_id, t.FuncProto)
    assert [each.name for each in proto.parameters] == ["dummy_ksym"]


CONFIG = """
# CONFIG_ABSENT is not set
CONFIG_HZ=250
CONFIG_SMP=y
CONFIG_IPV6=m
CONFIG_NET=y
CONFIG_NAME="long name"
"""


@BOTH_ORDERS
def test_values_of_the_configuration_lie_in_their_map(read: Read, byteorder: ByteOrder) -> None:
    spec = configure(read("externs", byteorder), KernelConfig.parse(CONFIG, "6.1.300-18-amd64", "x86_64"))
    place = spec.maps[".kconfig"]
    values = {name: bytes((place.data or b"")[each.offset :][: each.size]) for name, each in place.variables.items()}
    assert values == {
        "LINUX_KERNEL_VERSION": (6 << 16 | 1 << 8 | 255).to_bytes(4, byteorder),
        "LINUX_HAS_SYSCALL_WRAPPER": b"\0",
        "CONFIG_HZ": (250).to_bytes(4, byteorder),
        "CONFIG_SMP": b"\1",
        "CONFIG_IPV6": (2).to_bytes(4, byteorder),
        "CONFIG_NET": b"y",
        "CONFIG_NAME": b"long na\0",
        "CONFIG_ABSENT": bytes(8),
    }
    assert (place.frozen, place.flags) == (True, MapFlag.RDONLY_PROG | MapFlag.MMAPABLE)


def test_the_object_keeps_its_own_values(read: Read) -> None:
    spec = read("externs")
    configure(spec, KernelConfig.parse(CONFIG, "6.1.0", "x86_64"))
    assert not any(spec.maps[".kconfig"].data or b"\1")


def test_a_value_is_read_at_its_offset(read: Read) -> None:
    spec = read("externs")
    used = [each for each in spec.programs["wants"].relocations if each.symbol == ".kconfig"]
    offsets = {each.offset for each in spec.maps[".kconfig"].variables.values()}
    assert {each.offset for each in used} == offsets
    assert {each.kind for each in used} == {RelocationKind.MAP_VALUE}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "CONFIG_HZ is not in the kernel's configuration"),
        ("CONFIG_HZ=y", "CONFIG_HZ is y in the kernel's configuration, and is declared as INT 'unsigned int' of 4"),
        ("CONFIG_HZ=0x100000000", "CONFIG_HZ is 0x100000000 in the kernel's"),
        ("CONFIG_HZ=1\nCONFIG_SMP=m", "CONFIG_SMP is m in the kernel's"),
        ("CONFIG_HZ=1\nCONFIG_NAME=7", "CONFIG_NAME is 7 in the kernel's"),
    ],
)
def test_a_value_that_does_not_fit_its_declaration_is_refused(read: Read, config: str, message: str) -> None:
    with pytest.raises(ObjectError, match=message):
        configure(read("externs"), KernelConfig.parse(config, "6.1.0", "x86_64"))


@pytest.mark.parametrize(
    ("release", "machine", "options", "wrapped"),
    [
        ("6.1.0", "x86_64", {}, 1),
        ("4.16.0", "x86_64", {}, 0),
        ("6.1.0", "riscv64", {}, 0),
        ("6.1.0", "unknown", {}, 0),
        ("6.1.0", "unknown", {"CONFIG_ARCH_HAS_SYSCALL_WRAPPER": "y"}, 1),
        ("6.1.0", "x86_64", {"CONFIG_HZ": "250"}, 0),
    ],
)
def test_whether_system_calls_are_wrapped_is_told_by_option_or_version(
    release: str, machine: str, options: dict[str, str], wrapped: int
) -> None:
    assert KernelConfig(release, machine, options).virtual("LINUX_HAS_SYSCALL_WRAPPER") == wrapped


def test_values_that_were_set_are_kept(read: Read) -> None:
    spec = read("externs")
    place = spec.maps[".kconfig"]
    variable = place.variables["CONFIG_HZ"]
    place.data = bytearray(b"\7" * place.value_size)
    kept = configure(spec, KernelConfig("6.1.0", "x86_64"), keep=["CONFIG_HZ"]).maps[".kconfig"].data or b""
    assert kept[variable.offset :][: variable.size] == b"\7\7\7\7"
    assert kept.count(7) == variable.size


def test_only_the_programs_named_are_changed(read: Read) -> None:
    spec = relocate(read("externs"), kernel(), programs=["wants_nothing"])
    assert spec.programs["wants"].needs_kernel_types


def test_an_object_without_such_values_needs_none(read: Read) -> None:
    spec = read("linked")
    assert configure(spec, KernelConfig("6.1.0", "x86_64")) is spec


def test_addresses_are_those_the_kernel_shows(tmp_path: Path) -> None:
    listing = tmp_path / "kallsyms"
    listing.write_text("ffffffff81000000 T one\n0000000000000000 T hidden\nffffffffc0000010 t two\t[module]\n")
    assert read_addresses(["one", "two", "hidden", "none"], listing) == {
        "one": 0xFFFFFFFF81000000,
        "two": 0xFFFFFFFFC0000010,
    }


def test_a_listing_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ObjectError, match=r"cannot be read from .*none"):
        read_addresses(["one"], tmp_path / "none")


UNDEFINED = {
    "a variable": (
        'extern int elsewhere; SEC("xdp") int p(void *c) { return elsewhere; }',
        "'p' uses 'elsewhere', which the object does not define",
    ),
    "a function of the C library": (
        'extern unsigned long strlen(const char *); SEC("xdp") int p(char *c) { return strlen(c); }',
        r"'p' calls strlen\(\), and BPF has no C library",
    ),
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_what_nobody_defines_is_said_in_words(tmp_path: Path, name: str) -> None:
    source, message = UNDEFINED[name]
    path = tmp_path / "undefined.bpf.c"
    path.write_text(f"#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n{source}\n")
    with pytest.raises(ObjectError, match=message):
        read_object(compile_c(path, cache=tmp_path))


def test_a_symbol_of_a_replaced_spec_is_found_by_its_declaration(read: Read) -> None:
    spec = read("externs")
    strong = {**spec.externs, "absent_variable": replace(spec.externs["absent_variable"], weak=False)}
    with pytest.raises(ObjectError, match="has no var 'absent_variable'"):
        relocate(replace(spec, externs=strong), kernel(), addresses=ADDRESSES)


def test_a_configuration_larger_than_any_is_refused_before_room_is_made(tmp_path: Path) -> None:
    source = tmp_path / "huge.bpf.c"
    source.write_text(
        'extern char CONFIG_HUGE[2000000] __attribute__((section(".kconfig")));\n'
        '__attribute__((section("socket"), used)) int f(void *ctx) { return CONFIG_HUGE[5]; }\n',
        encoding="utf-8",
    )
    with pytest.raises(ObjectError, match="2000000 bytes; 1048576 are the most"):
        read_object(compile_c(source))
