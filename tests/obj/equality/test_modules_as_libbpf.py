"""What kernel modules provide is found, and told to the kernel, as libbpf does it."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bpflab import Lab
from bpflab.abi.btf import BtfKind
from bpflab.abi.info import BTF_INFO
from bpflab.backend.calls import Call
from bpflab.backend.kernel import KERNEL_BTF
from bpflab.backend.mock import MockBackend
from bpflab.obj import Btf, compile_c
from bpflab.obj import btf_types as t
from bpflab.obj.btf_encode import StringTable, encode
from bpflab.obj.insns import Code

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
struct lab_conn { int mark; } __attribute__((preserve_access_index));
struct lab_table { int a, b; };
extern int z_of_first(int) __ksym;
extern int a_of_second(int) __ksym;
extern int m_of_first(int) __ksym __weak;
extern int n_of_nobody(int) __ksym __weak;
extern const struct lab_table lab_table __ksym;
extern const struct lab_table lab_nothing __ksym __weak;
SEC("tc") int calls(void *ctx) { return z_of_first(1) + a_of_second(2) + m_of_first(3); }
SEC("tc") int reads(void *ctx)
{
	return (long)&lab_table + (long)&lab_nothing + bpf_core_field_offset(struct lab_conn, mark);
}
SEC("fentry/a_of_second") int watches(void *ctx) { return 0; }
char _license[] SEC("license") = "GPL";
"""


class Modular:
    """A kernel with two modules, as it answers BTF_GET_NEXT_ID, BTF_GET_FD_BY_ID and OBJ_GET_INFO_BY_FD."""

    def __init__(self) -> None:
        base = Btf(KERNEL_BTF.read_bytes())
        number = base.require("int", BtfKind.INT)
        proto = t.FuncProto(return_id=number, parameters=(t.Parameter("n", number),))
        after = len(base)
        first = [proto, *(t.Func(name=name, type_id=after) for name in ("z_of_first", "m_of_first"))]
        first.append(t.Struct(name="lab_conn", size=80, members=(t.Member("mark", number, 8 * 72),)))
        second = [proto, t.Func(name="a_of_second", type_id=after)]
        halves = (t.Member("a", number, 0), t.Member("b", number, 32))
        second += [t.Struct(name="lab_table", size=8, members=halves), t.Var(name="lab_table", type_id=after + 2)]
        self.raw = base.data
        self._contents = {1: ("vmlinux", b""), 40: ("first", _split(base, first)), 41: ("second", _split(base, second))}
        self._fds: dict[int, int] = {}

    def named(self, fd: int) -> str:
        return self._contents[self._fds[fd]][0] if fd in self._fds else str(fd)

    @property
    def answers(self) -> dict[str, Callable[[Call], int]]:
        return {"BTF_GET_NEXT_ID": self._next, "BTF_GET_FD_BY_ID": self._open, "OBJ_GET_INFO_BY_FD": self._describe}

    def _next(self, call: Call) -> int:
        following = [number for number in self._contents if number > call.start_id]
        ctypes.set_errno(errno.ENOENT)
        call.fill("next_id", following[0] if following else 0)
        return 0 if following else -errno.ENOENT

    def _open(self, call: Call) -> int:
        fd = os.memfd_create("btf")
        self._fds[fd] = call.start_id
        return fd

    def _describe(self, call: Call) -> int:
        _, address, room = call.room["info"]
        info = bytearray(ctypes.string_at(address, room).ljust(BTF_INFO.size, b"\0"))
        name, data = self._contents[self._fds[call.bpf_fd]] if call.bpf_fd in self._fds else ("", b"")
        if length := BTF_INFO.get(info, "name_len"):
            ctypes.memmove(BTF_INFO.get(info, "name"), name.encode() + b"\0", min(length, len(name) + 1))
        ctypes.memmove(BTF_INFO.get(info, "btf"), data, min(BTF_INFO.get(info, "btf_size"), len(data)))
        for field, value in {
            "id": self._fds.get(call.bpf_fd, 0),
            "btf_size": len(data),
            "kernel_btf": bool(name),
        }.items():
            BTF_INFO.set(info, field, int(value))
        call.fill("info", bytes(info[:room]))
        return 0


def _split(base: Btf, types: list[t.BtfType]) -> bytes:
    return encode(types, base.byteorder, StringTable(b"", start=base.strings_end))


class ModularMock(MockBackend):
    """A mock with the running kernel's types, and modules."""

    def __init__(self, kernel: Modular) -> None:
        super().__init__()
        self._raw = kernel.raw
        for command, answer in kernel.answers.items():
            self.on(command).does(answer)

    def kernel_btf(self) -> bytes:
        return self._raw

    def close(self, fd: int) -> None:
        os.close(fd) if fd not in self.objects.fds else super().close(fd)


def told(calls: list[Call], kernel: Modular) -> dict[str, list[str]]:
    """Write the programs that were loaded with the names of modules in the place of descriptors."""
    found = {}
    for call in [
        each for each in calls if each.command == "PROG_LOAD" and each.prog_name in {"calls", "reads", "watches"}
    ]:
        code = Code(call.insns, sys.byteorder)
        lines = [f"{code.opcode(at):x} {code.src(at)} {code.off(at)} {kernel.named(code.imm(at))}" for at in code]
        lines += [f"and {kernel.named(code.imm(at + 1))}" for at in code if code.is_wide(at)]
        fds = [fd for (fd,) in struct.iter_unpack("=i", call.fd_array or b"")]
        lines.append(f"attached to {call.attach_btf_id} of {kernel.named(call.attach_btf_obj_fd)}")
        found[call.prog_name] = [*lines, *(kernel.named(fd) for fd in fds)]
    return found


@pytest.mark.usefixtures("library")
def test_modules_are_told_to_the_kernel_as_libbpf_tells_them(libbpf: Callable[..., list[Call]], tmp_path: Path) -> None:
    source = tmp_path / "modular.bpf.c"
    source.write_text(SOURCE)
    path = compile_c(source, cache=tmp_path)
    theirs, ours = Modular(), Modular()
    expected = told(libbpf(path, theirs.answers), theirs)
    mock = ModularMock(ours)
    with Lab(mock) as lab:
        lab.load(path)
        found = told(mock.log, ours)
    assert found == expected
    assert found["calls"][-3:] == ["0", "second", "first"]
    assert "and second" in found["reads"]
    assert any(line.endswith("of second") for line in found["watches"])
