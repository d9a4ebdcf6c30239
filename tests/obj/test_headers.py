"""The headers that ship: complete for programs, in step with the helper table, quiet under -Wall."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import pytest

from bpflab import Lab
from bpflab.abi.helpers import all_helpers
from bpflab.abi.prog_types import ProgType
from bpflab.obj import compile_c, read_object
from bpflab.obj.helper_defs import PATH, render
from bpflab.obj.insns import Code
from bpflab.obj.relocations import ExternKind
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.obj.conftest import Read

    from bpflab.abi.layout import ByteOrder

NAMES = ["bpf_helpers.h", "bpf_helper_defs.h", "bpf_endian.h", "bpf_tracing.h", "bpf_core_read.h"]
MACHINES = ["x86", "arm64", "s390", "riscv", "powerpc", "loongarch", "arm"]


def test_the_declarations_of_helpers_are_those_of_the_table() -> None:
    assert PATH.read_text("utf-8") == render(all_helpers())


def test_every_helper_is_declared_with_its_number() -> None:
    declared = re.findall(r"\(\*const bpf_(\w+)\)\(.*\(void \*\)(\d+);", PATH.read_text("utf-8"))
    assert {name: int(number) for name, number in declared} == {each.name: each.id for each in all_helpers()}


@pytest.mark.parametrize("header", NAMES)
def test_each_header_stands_by_itself(tmp_path: Path, header: str) -> None:
    source = tmp_path / "alone.bpf.c"
    source.write_text(f"#include <linux/bpf.h>\n#include <bpf/{header}>\n#include <bpf/{header}>\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compile_c(source, cache=tmp_path).is_file()


def test_programs_written_with_the_macros_have_their_types(read: Read) -> None:
    programs = read("headers").programs
    assert {name: (each.type, each.attach_to) for name, each in programs.items()} == {
        "prints": (ProgType.XDP, None),
        "entered": (ProgType.KPROBE, "vfs_read"),
        "left": (ProgType.KPROBE, "vfs_read"),
        "traced": (ProgType.TRACING, "vfs_read"),
    }


@pytest.mark.parametrize(("byteorder", "expected"), [("little", 0x34127856), ("big", 0x12345678)])
def test_network_order_is_made_when_compiled(tmp_path: Path, byteorder: ByteOrder, expected: int) -> None:
    source = tmp_path / "swap.bpf.c"
    source.write_text(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_endian.h>\n"
        'SEC("xdp") int p(void *ctx) { return bpf_htons(0x1234) << 16 | bpf_ntohs(0x5678); }\n'
    )
    insns = read_object(compile_c(source, cache=tmp_path, byteorder=byteorder)).programs["p"].insns
    assert Code(insns, byteorder).imm(0) == expected


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_bit_fields_of_headers_lie_as_the_byte_order_has_them(tmp_path: Path, byteorder: ByteOrder) -> None:
    source = tmp_path / "bits.bpf.c"
    source.write_text(
        "#include <linux/bpf.h>\n#include <linux/ip.h>\n#include <bpf/bpf_helpers.h>\n"
        'SEC("xdp") int p(void *ctx) {\n'
        "  struct iphdr header = { .version = 4, .ihl = 5 }; return *(volatile __u8 *)&header;\n}\n"
    )
    with Lab(SimBackend(Machine(byteorder=byteorder))) as lab:
        compiled = compile_c(source, cache=tmp_path, byteorder=byteorder)
        assert lab.load(compiled).programs["p"].run(bytes(64)).retval == 0x45


@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_of_probes_are_found_on_every_machine(tmp_path: Path, machine: str) -> None:
    source = tmp_path / "probe.bpf.c"
    source.write_text(
        "typedef unsigned int __u32; typedef unsigned long long __u64; typedef int __s32; typedef long long __s64;\n"
        "typedef unsigned short __u16; typedef unsigned char __u8; typedef __u16 __be16; typedef __u32 __be32;\n"
        "typedef __u32 __wsum;\n"
        "struct user_pt_regs { unsigned long regs[31], sp, pc, csr_era; };\n"
        "typedef struct { unsigned long gprs[16]; struct { unsigned long addr; } psw; } user_pt_regs;\n"
        "struct user_regs_struct { unsigned long a0, a1, a2, a3, a4, ra, s0, sp, pc; };\n"
        "struct pt_regs { unsigned long rdi, rsi, rdx, rcx, r8, rax, rsp, rbp, rip, gpr[32], link, nip, uregs[18]; };\n"
        "#include <bpf/bpf_tracing.h>\n"
        'SEC("kprobe") int BPF_KPROBE(probe, int a, char *b, long c, void *d) { return a + *b + c + !d; }\n'
        'SEC("kprobe") int ends(struct pt_regs *ctx) { return PT_REGS_RC(ctx) + PT_REGS_SP(ctx) + PT_REGS_IP(ctx); }\n'
    )
    flags = ["-U__TARGET_ARCH_x86", f"-U__TARGET_ARCH_{machine}", f"-D__TARGET_ARCH_{machine}"]
    assert compile_c(source, cache=tmp_path, flags=flags).is_file()


def test_macros_for_tracing_ask_the_kernel_for_what_they_need(read: Read) -> None:
    spec = read("tracing")
    asked = {(each.kind.name, each.access) for each in spec.programs["reads"].core_relocations}
    assert {name for name, each in spec.externs.items() if each.kind is ExternKind.FUNCTION} == {
        "bpf_iter_num_new",
        "bpf_iter_num_next",
        "bpf_iter_num_destroy",
    }
    assert "LINUX_HAS_SYSCALL_WRAPPER" in spec.externs
    assert {("FIELD_BYTE_OFFSET", "0:2"), ("FIELD_EXISTS", "0:2"), ("FIELD_LSHIFT_U64", "0:3")} <= asked
