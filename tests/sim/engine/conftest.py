"""The running kernel as an oracle: programs of type SYSCALL, which get a plain buffer as context."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.flags import ProgFlag
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import Insn, encode
from bpflab.backend.call import Caller
from bpflab.backend.kernel import KernelBackend
from bpflab.backend.select import kernel_refusal
from bpflab.errors import SyscallError

VALUE_SIZE = 64


@dataclass(frozen=True)
class Oracle:
    """`value_fd` is an array map of one value of 64 bytes, for programs that want memory."""

    caller: Caller
    value_fd: int

    @contextmanager
    def load(self, insns: Sequence[Insn], prog_type: ProgType = ProgType.SYSCALL) -> Iterator[int]:
        try:
            fd = self.attempt(insns, prog_type, bytearray())
        except SyscallError as error:
            log = bytearray(1 << 24)
            with suppress(SyscallError):
                os.close(self.attempt(insns, prog_type, log))
            raise AssertionError(f"{error}\n{log.partition(bytes(1))[0].decode()[-2000:]}") from error
        try:
            yield fd
        finally:
            os.close(fd)

    def attempt(self, insns: Sequence[Insn], prog_type: ProgType, log: bytearray) -> int:
        return self.caller(
            Command.PROG_LOAD,
            prog_type=prog_type,
            insn_cnt=len(insns),
            insns=encode(insns),
            license=b"GPL\0",
            prog_flags=ProgFlag.SLEEPABLE if prog_type is ProgType.SYSCALL else 0,
            log_level=1 if log else 0,
            log_size=len(log),
            log_buf=log,
        ).result

    def run(self, insns: Sequence[Insn], context: bytes) -> tuple[int, bytes]:
        """r0 (32 bits) and the context as the program left it."""
        buffer = bytearray(context)
        with self.load(insns) as fd:
            answer = self.caller(Command.PROG_TEST_RUN, prog_fd=fd, ctx_in=buffer, ctx_size_in=len(buffer))
        return answer.attr["retval"], bytes(buffer)

    def set_value(self, value: bytes) -> None:
        self.caller(Command.MAP_UPDATE_ELEM, map_fd=self.value_fd, key=bytes(4), value=value)

    def value(self) -> bytes:
        value = bytearray(VALUE_SIZE)
        self.caller(Command.MAP_LOOKUP_ELEM, map_fd=self.value_fd, key=bytes(4), value=value)
        return bytes(value)


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    caller = Caller(KernelBackend())
    fd = caller(Command.MAP_CREATE, map_type=MapType.ARRAY, key_size=4, value_size=VALUE_SIZE, max_entries=1).result
    yield Oracle(caller, fd)
    os.close(fd)
