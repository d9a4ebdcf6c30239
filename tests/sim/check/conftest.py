"""Programs for the load-time check, and the running kernel's word on the same programs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.errno import errno_name
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import Insn, encode
from bpflab.backend.call import Caller
from bpflab.backend.kernel import KernelBackend
from bpflab.backend.select import kernel_refusal
from bpflab.errors import SyscallError
from bpflab.sim.check import MapFacts

MAPS: Mapping[str, MapFacts] = {
    name: MapFacts(number, map_type, key, value, entries, flags, name)
    for number, (name, map_type, key, value, entries, flags) in enumerate(
        [
            ("hash", MapType.HASH, 4, 8, 16, MapFlag(0)),
            ("array", MapType.ARRAY, 4, 16, 4, MapFlag(0)),
            ("ring", MapType.RINGBUF, 0, 0, 4096, MapFlag(0)),
            ("progs", MapType.PROG_ARRAY, 4, 4, 4, MapFlag(0)),
            ("queue", MapType.QUEUE, 0, 8, 4, MapFlag(0)),
            ("devmap", MapType.DEVMAP, 4, 4, 4, MapFlag(0)),
            ("ro", MapType.ARRAY, 4, 16, 1, MapFlag.RDONLY_PROG),
            ("wo", MapType.ARRAY, 4, 16, 1, MapFlag.WRONLY_PROG),
        ]
    )
}


@dataclass(frozen=True)
class Oracle:
    """The running kernel's verifier, with the maps of the cases; `fds` by name."""

    caller: Caller
    fds: Mapping[str, int]

    def verdict(self, insns: Sequence[Insn], prog_type: ProgType, licence: str) -> tuple[str, str]:
        """OK or the name of the errno, and the log."""
        log = bytearray(1 << 18)
        try:
            fd = self.caller(
                Command.PROG_LOAD,
                prog_type=prog_type,
                insn_cnt=len(insns),
                insns=encode(insns),
                license=licence.encode() + b"\0",
                log_level=1,
                log_size=len(log),
                log_buf=log,
            ).result
        except SyscallError as error:
            return errno_name(error.errno), log.partition(b"\0")[0].decode()
        os.close(fd)
        return "OK", ""


@pytest.fixture(scope="session")
def maps() -> Mapping[str, MapFacts]:
    return MAPS


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    caller, fds = Caller(KernelBackend()), dict[str, int]()
    try:
        for name, facts in MAPS.items():
            fds[name] = caller(
                Command.MAP_CREATE,
                map_type=facts.type,
                key_size=facts.key_size,
                value_size=facts.value_size,
                max_entries=facts.max_entries,
                map_flags=facts.flags,
            ).result
        yield Oracle(caller, fds)
    finally:
        for fd in fds.values():
            with suppress(OSError):
                os.close(fd)
