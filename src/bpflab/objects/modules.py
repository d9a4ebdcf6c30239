"""The modules of a backend's kernel: their types, read when an object asks for what the kernel itself lacks."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.info import BTF_INFO
from bpflab.backend.attr import pin
from bpflab.backend.descriptor import Descriptor
from bpflab.errors import NotPermittedError, SyscallError
from bpflab.obj.relocations import RelocationKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from bpflab.lab import Lab
    from bpflab.obj.btf import Btf
    from bpflab.obj.kernel_types import KernelTypes, Modules
    from bpflab.obj.spec import ObjectSpec

NAME_ROOM: Final = 64
"""Bytes for the name of a BTF object; names of modules are shorter (MODULE_NAME_LEN, linux/moduleparam.h)."""


class KernelModules:
    """Descriptors of the BTF of modules, by name: those that are not kept are closed at the end of the block.

    Nothing is opened before `read` is called.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._opened: dict[str, Descriptor] = {}
        self._kept: dict[str, Descriptor] = {}
        self._found: Modules | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._opened.values():
            each.close()
        self._opened.clear()

    def read(self, base: Btf) -> Modules:
        """Read the types of all modules that are loaded, once; `base` is the kernel's own, which theirs continue."""
        if self._found is None:
            self._found = self._read(base)
        return self._found

    def types(self, base: Btf) -> KernelTypes:
        """Return the kernel's types, which go on to the modules' where something is missing."""
        from bpflab.obj.kernel_types import KernelTypes

        return KernelTypes(base, partial(self.read, base))

    def keep(self, name: str) -> Descriptor:
        """Give a descriptor to the Lab: a program is loaded with it, and perhaps loaded again for its log."""
        if name not in self._kept:
            self._kept[name] = self._lab.own(self._opened.pop(name))
        return self._kept[name]

    def _read(self, base: Btf) -> Modules:
        from bpflab.obj.kernel_types import Module, Modules

        found, why_not = [], ""
        try:
            for name, size in self._open_all():
                found.append(Module(name, _types(self._data(name, size), base)))
        except SyscallError as problem:
            why_not = _reason(problem)
        return Modules(tuple(found), why_not)

    def _open_all(self) -> Iterator[tuple[str, int]]:
        """Open the modules' BTF, and give name and bytes of each; what programs loaded, and what just went, is not."""
        from bpflab.obj.kernel_types import VMLINUX

        number = 0
        while (following := self._next(number)) > number:
            number = following
            descriptor = self._open(number)
            if descriptor is None:
                continue
            name, size, of_kernel = self._described(descriptor)
            if of_kernel and name != VMLINUX:
                self._opened[name] = descriptor
                yield name, size
            else:
                descriptor.close()

    def _next(self, number: int) -> int:
        try:
            return self._lab.call(Command.BTF_GET_NEXT_ID, start_id=number).attr["next_id"]
        except SyscallError as problem:
            if problem.errno == Errno.ENOENT:
                return 0
            raise

    def _open(self, number: int) -> Descriptor | None:
        try:
            fd = self._lab.call(Command.BTF_GET_FD_BY_ID, btf_id=number).result
        except SyscallError as problem:
            if problem.errno == Errno.ENOENT:
                return None
            raise
        return Descriptor(self._lab.backend, fd, f"BTF {number} of the kernel")

    def _described(self, descriptor: Descriptor) -> tuple[str, int, bool]:
        name, info = bytearray(NAME_ROOM), bytearray(BTF_INFO.size)
        kept, address = pin(name)
        BTF_INFO.set(info, "name", address)
        BTF_INFO.set(info, "name_len", len(name))
        try:
            self._ask(descriptor, info)
        except SyscallError:
            descriptor.close()
            raise
        del kept
        of_kernel = bool(BTF_INFO.get(info, "kernel_btf"))
        return name.partition(b"\0")[0].decode(), BTF_INFO.get(info, "btf_size"), of_kernel

    def _data(self, name: str, size: int) -> bytes:
        data, info = bytearray(size), bytearray(BTF_INFO.size)
        kept, address = pin(data)
        BTF_INFO.set(info, "btf", address)
        BTF_INFO.set(info, "btf_size", size)
        self._ask(self._opened[name], info)
        del kept
        return bytes(data)

    def _ask(self, descriptor: Descriptor, info: bytearray) -> None:
        self._lab.call(Command.OBJ_GET_INFO_BY_FD, bpf_fd=descriptor.fileno(), info_len=len(info), info=info)


@lru_cache(maxsize=256)
def _types(raw: bytes, base: Btf) -> Btf:
    """Read a module's BTF, once for all objects of a session."""
    from bpflab.obj.btf import Btf

    return Btf(raw, base)


def _reason(problem: SyscallError) -> str:
    if isinstance(problem, NotPermittedError):
        return "modules were not looked through, which needs CAP_SYS_ADMIN"
    return f"modules could not be looked through ({problem.command} answered {problem.failure.name})"


def modules_of(spec: ObjectSpec) -> list[str]:
    """List the modules that the programs of a fitted object refer to."""
    relocations = (each for program in spec.programs.values() for each in program.relocations)
    variables = (each.symbol for each in relocations if each.kind is RelocationKind.MODULE_BTF)
    return list(dict.fromkeys([*spec.modules, *variables]))
