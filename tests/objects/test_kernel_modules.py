"""Functions, variables and types of kernel modules are found, and their BTF is given to PROG_LOAD as a descriptor."""

from __future__ import annotations

import ctypes
import struct
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from bpflab import Lab
from bpflab.abi.info import BTF_INFO
from bpflab.abi.insn import CallSource, WideSource
from bpflab.backend.mock import MockBackend
from bpflab.errors import ObjectError
from bpflab.obj import Btf, ObjectSpec, compile_c, read_object
from bpflab.obj import btf_types as t
from bpflab.obj.btf_encode import StringTable, encode
from bpflab.obj.insns import Code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bpflab.backend.calls import Call

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
struct conn { int mark; } __attribute__((preserve_access_index));
struct both { int a; } __attribute__((preserve_access_index));
struct table;
extern struct conn *find_conn(int) __ksym;
extern void set_nat(struct conn *) __ksym;
extern void own_function(int) __ksym;
extern void absent_function(int) __ksym __weak;
extern const struct table conn_table __ksym;
SEC("tc") int plain(void *ctx) { own_function(bpf_core_field_offset(struct both, a)); return 0; }
SEC("tc") int calls(void *ctx) { set_nat(find_conn(1)); own_function(2); return 0; }
SEC("tc") int reads(void *ctx) { return (long)&conn_table; }
SEC("tc") int asks(void *ctx) { return bpf_core_field_offset(struct conn, mark); }
SEC("fentry/set_nat") int watches(void *ctx) { return 0; }
SEC("fexit/own_function") int watches_own(void *ctx) { return 0; }
SEC("fentry/nf_nat:set_nat") int watches_named(void *ctx) { return 0; }
SEC("fentry/nf_conntrack:set_nat") int watches_other(void *ctx) { return 0; }
SEC("fentry/vmlinux:set_nat") int watches_kernel(void *ctx) { return 0; }
SEC("tc") int guesses(void *ctx) { absent_function(1); return 0; }
char _license[] SEC("license") = "GPL";
"""
INT = t.Int(name="int", size=4, bits=32)
BASE = Btf.build(
    [
        INT,
        t.FuncProto(return_id=0, parameters=(t.Parameter("n", 1),)),
        t.Func(name="own_function", type_id=2),
        t.Struct(name="both", size=12, members=(t.Member("a", 1, 64),)),
    ]
)
AFTER = len(BASE)


def conn(offset: int) -> t.Struct:
    return t.Struct(name="conn", size=64, members=(t.Member("mark", 1, 8 * offset),))


CONNTRACK = (
    conn(48),
    t.Pointer(type_id=AFTER),
    t.FuncProto(return_id=AFTER + 1, parameters=(t.Parameter("id", 1),)),
    t.Func(name="find_conn", type_id=AFTER + 2),
    t.Struct(name="table", size=8),
    t.Var(name="conn_table", type_id=AFTER + 4),
    t.Struct(name="both", size=8, members=(t.Member("a", 1, 0),)),
)
NAT = (
    t.Struct(name="other", size=4),
    t.Pointer(type_id=AFTER),
    t.FuncProto(return_id=0, parameters=(t.Parameter("conn", AFTER + 1),)),
    t.Func(name="set_nat", type_id=AFTER + 2),
)


def split(types: Sequence[t.BtfType]) -> bytes:
    """Encode the types of a module, whose ids and strings continue those of the kernel."""
    return encode(types, BASE.byteorder, StringTable(b"", start=BASE.strings_end, base=BASE.strings().data))


class ModularKernel(MockBackend):
    """A mock with a kernel's types and, numbered from 1: the kernel's BTF, a program's, and those of modules."""

    def __init__(self, modules: Mapping[str, Sequence[t.BtfType]]) -> None:
        super().__init__()
        self.contents = [("vmlinux", True, b""), ("", False, b"")]
        self.contents += [(name, True, split(types)) for name, types in modules.items()]
        self.held = [self.objects.create("btf", "", {}) for _ in self.contents]
        self.on("OBJ_GET_INFO_BY_FD", where=self._about_types).does(self._describe)

    def kernel_btf(self) -> bytes:
        return BASE.data

    def number(self, fd: int) -> int:
        return self.objects.get(fd).id

    def module(self, fd: int) -> str:
        return self.contents[self.number(fd) - 1][0]

    def open_modules(self) -> set[str]:
        """Name what descriptors are open of, beside those by which the kernel itself holds it."""
        found = [fd for fd, each in self.objects.fds.items() if each.kind == "btf" and fd not in self.held]
        return {self.module(fd) for fd in found if self.number(fd) <= len(self.contents)}

    def _about_types(self, call: Call) -> bool:
        target = self.objects.fds.get(call.bpf_fd)
        return target is not None and target.kind == "btf" and target.id <= len(self.contents)

    def _describe(self, call: Call) -> int:
        name, of_kernel, data = self.contents[self.number(call.bpf_fd) - 1]
        info = bytearray(ctypes.string_at(call.room["info"][1], BTF_INFO.size))
        if room := BTF_INFO.get(info, "name_len"):
            ctypes.memmove(BTF_INFO.get(info, "name"), name.encode() + b"\0", min(room, len(name) + 1))
        ctypes.memmove(BTF_INFO.get(info, "btf"), data, min(BTF_INFO.get(info, "btf_size"), len(data)))
        BTF_INFO.set(info, "btf_size", len(data))
        BTF_INFO.set(info, "kernel_btf", int(of_kernel))
        call.fill("info", bytes(info))
        return 0


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ObjectSpec:
    place: Path = tmp_path_factory.mktemp("modules")
    source = place / "modules.bpf.c"
    source.write_text(SOURCE)
    return read_object(compile_c(source, cache=place))


@pytest.fixture
def kernel() -> ModularKernel:
    return ModularKernel({"nf_conntrack": CONNTRACK, "nf_nat": NAT})


def sent(kernel: ModularKernel, spec: ObjectSpec, *programs: str) -> tuple[Code, list[int], list[str]]:
    """Load programs; of the last one the code, the descriptors in fd_array, and the modules that these stand for."""
    with Lab(kernel) as lab:
        lab.load(spec, programs=programs)
        call = kernel.calls("PROG_LOAD")[-1]
        fds = [fd for (fd,) in struct.iter_unpack("=i", call.fd_array or b"")]
        assert not call.fd_array_cnt
        return Code(call.insns, sys.byteorder), fds, [kernel.module(fd) for fd in fds[1:]]


def slot(spec: ObjectSpec, program: str, symbol: str) -> int:
    return next(each.insn for each in spec.programs[program].relocations if each.symbol == symbol)


def asked(kernel: ModularKernel) -> bool:
    return bool(kernel.calls("BTF_GET_NEXT_ID"))


def test_a_call_has_the_place_of_its_modules_descriptor(kernel: ModularKernel, spec: ObjectSpec) -> None:
    code, fds, modules = sent(kernel, spec, "calls")
    found = {name: slot(spec, "calls", name) for name in ("own_function", "find_conn", "set_nat")}
    calls = {name: (code.src(at), code.imm(at), code.off(at)) for name, at in found.items()}
    assert calls == {
        "own_function": (CallSource.KFUNC, BASE.require("own_function"), 0),
        "find_conn": (CallSource.KFUNC, AFTER + 3, 1),
        "set_nat": (CallSource.KFUNC, AFTER + 3, 2),
    }
    assert (fds[0], modules) == (0, ["nf_conntrack", "nf_nat"])


def test_a_variable_has_the_descriptor_of_its_module_in_the_second_half(
    kernel: ModularKernel, spec: ObjectSpec
) -> None:
    with Lab(kernel) as lab:
        lab.load(spec, programs=["reads"])
        call = kernel.calls("PROG_LOAD")[-1]
        code, at = Code(call.insns, sys.byteorder), slot(spec, "reads", "conn_table")
        assert (code.src(at), code.imm(at)) == (WideSource.BTF_ID, AFTER + 5)
        assert kernel.module(code.imm(at + 1)) == "nf_conntrack"
        assert not call.fd_array


def test_a_type_that_only_a_module_has_is_found_there(kernel: ModularKernel, spec: ObjectSpec) -> None:
    code, _, _ = sent(kernel, spec, "asks")
    assert code.imm(0) == 48


def test_a_type_of_the_kernels_own_hides_those_of_modules(kernel: ModularKernel, spec: ObjectSpec) -> None:
    code, fds, _ = sent(kernel, spec, "plain")
    assert (code.imm(0), fds) == (8, [])


def test_modules_are_not_looked_at_for_what_the_kernel_has(kernel: ModularKernel, spec: ObjectSpec) -> None:
    sent(kernel, spec, "plain")
    assert not asked(kernel)
    sent(kernel, spec, "asks")
    assert asked(kernel)


def test_only_descriptors_in_use_stay_open_and_until_the_lab_closes(kernel: ModularKernel, spec: ObjectSpec) -> None:
    with Lab(kernel) as lab:
        lab.load(spec, programs=["reads", "asks"])
        assert kernel.open_modules() == {"nf_conntrack"}
    assert kernel.open_modules() == set()


@pytest.mark.parametrize(
    ("offset", "refusal"),
    [(48, ""), (52, r"conn\.mark is ambiguous.* 5 of module nf_conntrack and 5 of module twin .*48 and 52")],
)
def test_the_types_of_all_modules_have_to_agree(spec: ObjectSpec, offset: int, refusal: str) -> None:
    kernel = ModularKernel({"nf_conntrack": CONNTRACK, "twin": [conn(offset)]})
    with pytest.raises(ObjectError, match=refusal) if refusal else nullcontext():
        assert sent(kernel, spec, "asks")[0].imm(0) == 48


def test_what_no_module_has_is_refused_with_all_that_was_looked_through(spec: ObjectSpec) -> None:
    types = [t.FuncProto(return_id=0), t.Func(name="find_conns", type_id=AFTER)]
    kernel = ModularKernel({"nf_nat": NAT, "one": types} | {f"m{number}": [conn(0)] for number in range(8)})
    looked = r"\(looked through: vmlinux, and of modules nf_nat, one, m0, m1, m2, m3, m4, m5 and 2 more\)"
    with pytest.raises(ObjectError, match=rf"has no func 'find_conn' in its BTF {looked}\. Similar: find_conns\."):
        sent(kernel, spec, "calls")


def test_a_function_declared_otherwise_than_in_the_module_is_refused(spec: ObjectSpec) -> None:
    types = [t.FuncProto(return_id=0), t.Func(name="find_conn", type_id=AFTER)]
    with pytest.raises(ObjectError, match="'find_conn' is declared otherwise than in module odd"):
        sent(ModularKernel({"odd": types}), spec, "calls")


@pytest.mark.parametrize(
    ("command", "error", "reason"),
    [
        ("BTF_GET_NEXT_ID", "EPERM", "vmlinux; modules were not looked through, which needs CAP_SYS_ADMIN"),
        ("BTF_GET_FD_BY_ID", "EPERM", "vmlinux; modules were not looked through, which needs CAP_SYS_ADMIN"),
        ("OBJ_GET_INFO_BY_FD", "E2BIG", r"could not be looked through \(OBJ_GET_INFO_BY_FD answered E2BIG\)"),
        ("BTF_GET_NEXT_ID", "ENOENT", "vmlinux; no modules with BTF are loaded"),
        ("BTF_GET_FD_BY_ID", "ENOENT", "vmlinux; no modules with BTF are loaded"),
    ],
)
def test_modules_that_cannot_be_read_are_said_to_be_so(
    spec: ObjectSpec, kernel: ModularKernel, command: str, error: str, reason: str
) -> None:
    kernel.scripts.insert(0, kernel.on(command).fails(error, times=None))
    with pytest.raises(ObjectError, match=reason):
        sent(kernel, spec, "calls")
    assert kernel.open_modules() == set()


def test_a_module_that_goes_while_it_is_looked_for_is_passed_over(spec: ObjectSpec, kernel: ModularKernel) -> None:
    kernel.on("BTF_GET_FD_BY_ID", btf_id=kernel.contents.index(kernel.contents[-1]) + 1).fails("ENOENT", times=None)
    assert sent(kernel, spec, "asks")[0].imm(0) == 48
    with pytest.raises(ObjectError, match=r"'set_nat' .*looked through: vmlinux, and of modules nf_conntrack\)"):
        sent(kernel, spec, "calls")


def test_a_weak_function_of_no_module_is_poisoned_with_the_reason(spec: ObjectSpec, kernel: ModularKernel) -> None:
    with Lab(kernel) as lab:
        program = lab.load(spec, programs=["guesses"]).spec.programs["guesses"]
    assert [each.reason for each in program.poisoned] == [
        "the kernel has no function absent_function (looked through: vmlinux, and of modules nf_conntrack, nf_nat)"
    ]


@pytest.mark.parametrize("program", ["watches", "watches_named"])
def test_a_function_of_a_module_is_attached_to_by_the_modules_descriptor(
    kernel: ModularKernel, spec: ObjectSpec, program: str
) -> None:
    with Lab(kernel) as lab:
        lab.load(spec, programs=[program])
        call = kernel.calls("PROG_LOAD")[-1]
        assert (call.attach_btf_id, kernel.module(call.attach_btf_obj_fd)) == (AFTER + 3, "nf_nat")
        assert kernel.open_modules() == {"nf_nat"}


def test_a_function_of_the_kernel_is_attached_to_without_a_look_at_modules(
    kernel: ModularKernel, spec: ObjectSpec
) -> None:
    with Lab(kernel) as lab:
        lab.load(spec, programs=["watches_own"])
    call = kernel.calls("PROG_LOAD")[-1]
    assert (call.attach_btf_id, call.attach_btf_obj_fd) == (BASE.require("own_function"), 0)
    assert not asked(kernel)


@pytest.mark.parametrize(("program", "module"), [("watches_other", "nf_conntrack"), ("watches_kernel", "vmlinux")])
def test_a_function_is_looked_for_in_the_module_that_is_named(
    kernel: ModularKernel, spec: ObjectSpec, program: str, module: str
) -> None:
    with (
        Lab(kernel) as lab,
        pytest.raises(
            ObjectError, match=rf"'{program}': .* no func 'set_nat' \(module '{module}' was asked for; looked"
        ),
    ):
        lab.load(spec, programs=[program])


def test_modules_are_read_once_for_all_programs_of_an_object(kernel: ModularKernel, spec: ObjectSpec) -> None:
    with Lab(kernel) as lab:
        lab.load(spec, programs=["calls", "reads", "asks", "watches"])
        assert len(kernel.calls("BTF_GET_FD_BY_ID")) == len(kernel.contents)
        assert kernel.open_modules() == {"nf_conntrack", "nf_nat"}
