"""The running kernel, asked without the library's backends: what abi/ says is held to it."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator

import pytest

from bpflab.abi.architectures import current, open_libc
from bpflab.abi.commands import Command
from bpflab.abi.prog_types import ProgType
from bpflab.backend.select import kernel_refusal
from bpflab.errors import BtfError
from bpflab.obj.btf import Btf

LOG_SIZE = 1 << 16
RETURN_0 = struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)


class RawKernel:
    """bpf(2) by ctypes. A result below 0 is a negative errno. Keeps its maps until it is closed."""

    def __init__(self) -> None:
        architecture = current()
        self._syscall = open_libc(architecture, lambda name: ctypes.CDLL(name, use_errno=True)).syscall
        self._number = architecture.syscall("bpf")
        self._opened: list[int] = []

    def bpf(self, command: Command, attr: bytearray) -> int:
        buffer = (ctypes.c_char * len(attr)).from_buffer(attr)
        result = int(self._syscall(self._number, int(command), buffer, len(attr)))
        return result if result >= 0 else -ctypes.get_errno()

    def create_map(self, map_type: int, key: int, value: int, entries: int, flags: int = 0) -> int:
        descriptor = self.bpf(Command.MAP_CREATE, bytearray(struct.pack("<5I", map_type, key, value, entries, flags)))
        assert descriptor >= 0, f"map type {map_type} cannot be made: errno {-descriptor}"
        self._opened.append(descriptor)
        return descriptor

    def load(
        self,
        prog_type: ProgType,
        code: bytes,
        *,
        licence: bytes = b"GPL",
        attach_type: int = 0,
        btf_id: int = 0,
        flags: int = 0,
    ) -> tuple[int, str]:
        """Load a program; gives its fd, for the caller to close, or a negative errno, and the verifier's log."""
        insns, text, log = (ctypes.create_string_buffer(given) for given in (code, licence, bytes(LOG_SIZE)))
        attr = struct.pack(
            "<IIQQIIQII16sIIIIQIIQIIII",
            *(prog_type, len(code) // 8, ctypes.addressof(insns), ctypes.addressof(text)),
            *(1, LOG_SIZE, ctypes.addressof(log), 0, flags, b"", 0, attach_type),
            *(0, 0, 0, 0, 0, 0, 0, btf_id, 0, 0),
        )
        descriptor = self.bpf(Command.PROG_LOAD, bytearray(attr))
        return descriptor, log.value.decode("utf-8", "replace")

    def complaint(self, prog_type: ProgType, code: bytes, *, licence: bytes = b"GPL", **options: int) -> str:
        """Load a program and close it; gives the verifier's last words, empty if it loads."""
        descriptor, log = self.load(prog_type, code, licence=licence, **options)
        if descriptor >= 0:
            os.close(descriptor)
            return ""
        lines = [line for line in log.splitlines() if line and not line.startswith("processed")]
        return (lines or [f"errno {-descriptor}"])[-1]

    def close(self) -> None:
        while self._opened:
            os.close(self._opened.pop())


@pytest.fixture(scope="session")
def raw_kernel() -> Iterator[RawKernel]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    kernel = RawKernel()
    yield kernel
    kernel.close()


@pytest.fixture(scope="session")
def kernel_btf() -> Btf:
    try:
        return Btf.of_kernel()
    except BtfError as error:
        pytest.skip(f"needs the running kernel's BTF: {error}")


@pytest.fixture(scope="session")
def kernel_release() -> tuple[int, int]:
    major, minor = platform.release().split(".")[:2]
    return int(major), int(minor)
