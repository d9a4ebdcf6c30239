"""What the tests of the simulated kernel's objects share."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import Insn, encode
from bpflab.backend.attr import Attr
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine
from bpflab.sim.maps.base import SimMap

CLONE_NEWNET = 0x40000000
ENOSPC = 28
Descriptors = tuple[int, int]


class Book:
    """The programs and links that were made, and what both kernels say is attached to one hook."""

    def __init__(self, both: Any, programs: list[Descriptors], target: int, attach_type: int) -> None:
        self.both = both
        self.programs = programs
        self.target = target
        self.attach_type = attach_type
        self.links: list[Descriptors] = []
        self.numbers = [self._ids(program) for program in programs]

    def _ids(self, program: Descriptors) -> Descriptors:
        ids = []
        for side in (0, 1):
            data = bytearray(8)
            self.both.send(side, Command.OBJ_GET_INFO_BY_FD, {"bpf_fd": program[side], "info": data, "info_len": 8})
            ids.append(struct.unpack("=I", data[4:])[0])
        return ids[0], ids[1]

    def attach(self, which: int, **values: Any) -> int:
        result: int = self.both(
            Command.PROG_ATTACH,
            attach_bpf_fd=self.programs[which],
            **({"target_fd": self.target, "attach_type": self.attach_type} | values),
        ).result
        return result

    def detach(self, which: int | None, **values: Any) -> int:
        program = 0 if which is None else self.programs[which]
        result: int = self.both(
            Command.PROG_DETACH,
            attach_bpf_fd=program,
            **({"target_fd": self.target, "attach_type": self.attach_type} | values),
        ).result
        return result

    def link(self, which: int, **values: Any) -> None:
        given = {"prog_fd": self.programs[which], "target_fd": self.target, "attach_type": self.attach_type} | values
        results = [self.both.send(side, Command.LINK_CREATE, given)[0] for side in (0, 1)]
        assert min(results[0], 0) == min(results[1], 0), f"link {values}: kernel {results[0]}, simulator {results[1]}"
        if results[0] >= 0:
            self.links.append((results[0], results[1]))
            self.both.opened.append(self.links[-1])

    def update(self, link: int, which: int, **values: Any) -> None:
        if link < len(self.links):
            self.both(Command.LINK_UPDATE, link_fd=self.links[link], new_prog_fd=self.programs[which], **values)

    def detach_link(self, link: int) -> None:
        if link < len(self.links):
            self.both(Command.LINK_DETACH, link_fd=self.links[link])

    def read(self, **values: Any) -> list[int]:
        """Assert that both list the same programs, by their place in the list of those made."""
        listed = []
        for side in (0, 1):
            room = bytearray(4 * 80)
            given = {
                "target_fd": self.target,
                "attach_type": self.attach_type,
                "prog_ids": room,
                "prog_cnt": 80,
            } | values
            result, attr = self.both.send(side, Command.PROG_QUERY, given)
            shown = min(attr["prog_cnt"], given["prog_cnt"]) if result in {0, -ENOSPC} else 0
            ids = struct.unpack(f"={shown}I", room[: 4 * shown])
            known = {number[side]: place for place, number in enumerate(self.numbers)}
            listed.append((result, [known[number] for number in ids], attr["attach_flags"], attr["revision"]))
        assert listed[1] == listed[0]
        order: list[int] = listed[0][1]
        return order


@pytest.fixture
def open_book(both: Any) -> Callable[..., Book]:
    """Give the function that opens the book of a hook: (programs, target, attach type)."""

    def open_one(programs: list[Descriptors], target: int, attach_type: int) -> Book:
        return Book(both, programs, target, attach_type)

    return open_one


@pytest.fixture
def sim() -> SimBackend:
    return SimBackend(Machine(possible_cpus=2))


@pytest.fixture
def made(sim: SimBackend) -> Callable[..., tuple[int, SimMap]]:
    """Give the function that makes a map in the simulator alone, and returns its descriptor and the map itself."""

    def make_one(map_type: MapType, **sizes: int) -> tuple[int, SimMap]:
        attr = Attr(Command.MAP_CREATE, {"map_type": map_type, **sizes})
        fd = sim.bpf(Command.MAP_CREATE, attr.pointer, attr.size)
        return fd, sim.kernel.find(fd, SimMap)

    return make_one


@pytest.fixture
def load(both: Any) -> Callable[..., Descriptors]:
    """Give the function that loads a program which returns a number into both kernels."""

    def program(prog_type: ProgType = ProgType.SOCKET_FILTER, result: int = 0, **values: Any) -> Descriptors:
        code = encode([Insn(0xB7, imm=result), Insn(0x95)])
        loaded: Descriptors = both.open(
            Command.PROG_LOAD, prog_type=prog_type, insn_cnt=2, insns=code, license=b"GPL\0", **values
        )
        return loaded

    return program


@pytest.fixture
def network(both: Any) -> Iterator[int]:
    """Enter a network namespace of the test's own, with a loopback interface alone, and give its descriptor."""
    del both
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNET):
            pytest.skip(f"no network namespace of one's own: {os.strerror(ctypes.get_errno())}")
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield own
        finally:
            os.close(own)
            libc.setns(before, CLONE_NEWNET)
    finally:
        os.close(before)


@pytest.fixture
def cgroup(both: Any) -> Iterator[int]:
    """Make a cgroup of the test's own, and give a descriptor of its directory."""
    del both
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    root = next((line.split()[1] for line in mounts if line.split()[2] == "cgroup2"), None)
    if root is None:
        pytest.skip("no cgroup2 file system is mounted")
    path = Path(root) / f"bpflab-{os.getpid()}"
    path.mkdir()
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)
        path.rmdir()


@pytest.fixture
def bpf_fs(both: Any) -> Iterator[tuple[str, str]]:
    """Mount a BPF file system in each kernel, and give their roots."""
    kernel, sim = both.backends
    yield kernel.mount_bpf_fs(), sim.mount_bpf_fs()
    both.close()
    kernel.shutdown()
    sim.shutdown()
