"""The tables of machines."""

from __future__ import annotations

import ctypes
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bpflab.abi.architectures import ARCHITECTURES, Architecture, architecture, current, open_libc
from bpflab.errors import NotSupportedError, UnknownArchitectureError

HEADERS = {
    "x86_64": "x86-linux-any/asm/unistd_64.h",
    "arm64": "aarch64-linux-any/asm/unistd_64.h",
    "riscv64": "riscv-linux-any/asm/unistd_64.h",
    "s390x": "s390x-linux-any/asm/unistd_64.h",
    "ppc64le": "powerpc-linux-any/asm/unistd_64.h",
    "armhf": "arm-linux-any/asm/unistd-eabi.h",
}
NUMBER = re.compile(r"#define __NR_(\w+)\s+(?:\(__NR_SYSCALL_BASE\s*\+\s*)?(\d+)")


@pytest.mark.parametrize("found", ARCHITECTURES.values(), ids=lambda found: found.name)
def test_system_call_numbers_are_those_of_the_headers(found: Architecture) -> None:
    ziglang = pytest.importorskip("ziglang", reason="needs the kernel headers in ziglang")
    include = Path(ziglang.__file__).parent / "lib/libc/include"
    header = dict(NUMBER.findall((include / HEADERS[found.name]).read_text("utf-8")))
    header["mmap"] = header.get("mmap") or header["mmap2"]
    assert {name: str(number) for name, number in found.syscalls.items()} == {
        name: header[name] for name in found.syscalls
    }


@pytest.mark.parametrize(
    ("machine", "name"),
    [("x86_64", "x86_64"), ("AMD64", "x86_64"), ("aarch64", "arm64"), ("armv7l", "armhf"), ("ppc64le", "ppc64le")],
)
def test_a_machine_is_known_by_what_the_system_calls_it(machine: str, name: str) -> None:
    assert architecture(machine) is ARCHITECTURES[name]


def test_a_32_bit_process_on_arm64_speaks_armhf() -> None:
    assert architecture("aarch64", pointer_size=4).name == "armhf"


@pytest.mark.parametrize(("machine", "pointer_size"), [("mips", None), ("x86_64", 4)])
def test_an_unknown_machine_is_an_error_that_lists_the_known(machine: str, pointer_size: int | None) -> None:
    with pytest.raises(UnknownArchitectureError, match=f"'{machine}'.*x86_64 or amd64.*armv7l"):
        architecture(machine, pointer_size=pointer_size)


def test_an_unknown_system_call_is_an_error_that_names_the_machine() -> None:
    with pytest.raises(NotSupportedError, match=r"'poll'.*arm64.*ppoll"):
        ARCHITECTURES["arm64"].syscall("poll")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to make a system call")
def test_the_table_of_this_machine_makes_the_call_it_names() -> None:
    libc = open_libc(current(), ctypes.CDLL)
    assert libc.syscall(current().syscall("gettid")) == threading.get_native_id()
    assert current().byte_order == sys.byteorder


def opener_of(*present: str | None) -> Callable[[str | None], str]:
    def open_library(name: str | None) -> str:
        if name not in present:
            raise OSError(f"{name} is not there")
        return f"opened {name}"

    return open_library


@pytest.mark.parametrize("present", ["libc.so.6", "libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1", None])
def test_the_c_library_is_the_first_candidate_that_opens(present: str | None) -> None:
    assert open_libc(ARCHITECTURES["x86_64"], opener_of(present)) == f"opened {present}"


def test_the_c_library_of_gnu_is_preferred() -> None:
    found = open_libc(ARCHITECTURES["x86_64"], opener_of(None, "ld-musl-x86_64.so.1", "libc.so.6"))
    assert found == "opened libc.so.6"


def test_a_machine_without_c_library_is_an_error_that_lists_what_was_tried() -> None:
    with pytest.raises(NotSupportedError, match=r"libc\.so\.6.*musl.*the running program"):
        open_libc(ARCHITECTURES["x86_64"], opener_of())
