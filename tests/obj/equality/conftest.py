"""What libbpf and what this library send to a kernel for the same object, call by call, without asking a kernel.

libbpf is the distribution's, driven by ctypes. It calls bpf(2) by way of the C library's `syscall`, whose place in its
table of imports is given another function for the time: that one notes each call, and answers as a kernel would that
knows everything. This library loads into a mock.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from bpflab import Lab
from bpflab.abi.architectures import current
from bpflab.abi.commands import Command
from bpflab.backend.calls import Call, read_call
from bpflab.backend.kernel import KERNEL_BTF, KernelBackend
from bpflab.backend.known import KnownMap
from bpflab.backend.mock import MockBackend
from bpflab.obj import ObjectSpec

LIBBPF = "libbpf.so.1"
Loader = Callable[..., list[Call]]
Modules = Mapping[str, Callable[[Call], int]]
"""What answers the calls by which modules are found, by command."""
SyscallType = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * 7, use_errno=True)
PrintType = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
WARN = 0
CREATES = {Command.MAP_CREATE, Command.PROG_LOAD, Command.BTF_LOAD, Command.LINK_CREATE}
ABSENT = {"BTF_GET_NEXT_ID", "OBJ_GET"}
VALUES = 1 << 20
_said: list[str] = []


class Listener:
    """Answers libbpf's calls of `syscall`: those of bpf(2) by itself, others by the C library."""

    def __init__(self, modules: Modules | None = None) -> None:
        self.calls: list[Call] = []
        self._modules = modules or {}
        self._maps: dict[int, KnownMap] = {}
        self._bpf = current().syscall("bpf")
        self._libc = ctypes.CDLL(None, use_errno=True)

    def __call__(self, number: int, *arguments: int) -> int:
        if number != self._bpf:
            return int(self._libc.syscall(number, *map(ctypes.c_long, arguments)))
        return self._answer(Command(arguments[0] & 0xFFFFFFFF), arguments[1], arguments[2] & 0xFFFFFFFF)

    def _answer(self, command: Command, attr: int, size: int) -> int:
        call = read_call(command, ctypes.c_void_p(attr), size, self._maps.get, lambda _fd: None)
        self.calls.append(call)
        if refusal := 0 if call.command in self._modules else _refusal(call):
            ctypes.set_errno(refusal)
            call.settle(-1, refusal)
            return -1
        given = self._modules.get(call.command)
        call.settle(given(call) if given else self._created(call) if command in CREATES else 0)
        return call.result or 0

    def _created(self, call: Call) -> int:
        """Give a descriptor of real memory: libbpf closes it, and maps that of a data map."""
        fd = os.memfd_create(call.map or call.command)
        os.ftruncate(fd, VALUES)
        if call.command == "MAP_CREATE":
            self._maps[fd] = KnownMap(call.map_name, call.key_size, call.value_size)
        return fd


def _refusal(call: Call) -> int:
    """Refuse what every kernel does: maps with the type of the value alone, unless they are data maps."""
    half = call.get("btf_value_type_id") and not call.get("btf_key_type_id")
    if call.command == "MAP_CREATE" and half and "." not in call.map_name:
        return errno.EINVAL
    return errno.ENOENT if call.command in ABSENT else 0


def _note(level: int, form: bytes, arguments: int) -> int:
    """Keep what libbpf warns of; on all machines of 64 bits a va_list is passed as an address."""
    line = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).vsnprintf(line, ctypes.c_size_t(512), form, ctypes.c_void_p(arguments))
    if level == WARN:
        _said.append(line.value.decode(errors="replace").strip())
    return 0


_printer = PrintType(_note)


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(LIBBPF, use_errno=True)
    library.bpf_object__open_file.restype = ctypes.c_void_p
    library.libbpf_version_string.restype = ctypes.c_char_p
    library.libbpf_set_print(_printer)
    return library


@cache
def _imported_syscall() -> int:
    """Find where libbpf keeps the address of `syscall`."""
    from elftools.elf.elffile import ELFFile

    _library()
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    base, path = next((int(line[0].split("-")[0], 16), line[5]) for line in lines if "/libbpf.so" in line[-1])
    with Path(path).open("rb") as file:
        elf = ELFFile(file)
        names = elf.get_section_by_name(".dynsym")
        for table in (elf.get_section_by_name(each) for each in (".rela.plt", ".rela.dyn")):
            for relocation in table.iter_relocations() if table else ():
                if names.get_symbol(relocation["r_info_sym"]).name == "syscall":
                    return base + int(relocation["r_offset"])
    raise LookupError("libbpf does not import syscall")


@contextmanager
def _listening(listener: Listener) -> Iterator[Listener]:
    callback, address = SyscallType(listener), _imported_syscall()
    libc, page = ctypes.CDLL(None), address & -mmap.PAGESIZE
    libc.mprotect(ctypes.c_void_p(page), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)
    place = ctypes.c_void_p.from_address(address)
    before, place.value = place.value, ctypes.cast(callback, ctypes.c_void_p).value
    try:
        yield listener
    finally:
        place.value = before


def by_libbpf(path: Path, modules: Modules | None = None) -> list[Call]:
    library = _library()
    _said.clear()
    opened = ctypes.c_void_p(library.bpf_object__open_file(str(path).encode(), None))
    assert opened.value, f"libbpf does not open {path}: {_said}"
    with _listening(Listener(modules)) as listener:
        answer = library.bpf_object__load(opened)
    library.bpf_object__close(opened)
    assert answer == 0, f"libbpf does not load {path}: {_said}"
    return listener.calls


class NamedKernel(MockBackend):
    """A mock with the running kernel's types, configuration, release and CPUs."""

    name = "kernel"

    def __init__(self) -> None:
        kernel = KernelBackend()
        super().__init__(possible_cpus=kernel.possible_cpus, release=kernel.release)

    def kernel_btf(self) -> bytes | None:
        return KERNEL_BTF.read_bytes()


def by_bpflab(source: Path | ObjectSpec) -> list[Call]:
    backend = NamedKernel()
    with Lab(backend) as lab:
        lab.load(source)
    return backend.log


@pytest.fixture(scope="session")
def library() -> ctypes.CDLL:
    try:
        return _library()
    except OSError:
        pytest.skip(f"needs {LIBBPF}")


@pytest.fixture(scope="session")
def libbpf(library: ctypes.CDLL) -> Loader:
    del library
    if not KERNEL_BTF.exists():
        pytest.skip("needs the kernel's BTF, which libbpf reads itself")
    return by_libbpf


@pytest.fixture(scope="session")
def bpflab() -> Loader:
    return by_bpflab
