"""Maps of programs, maps, devices, CPUs, sockets and events answer element commands as the running kernel's do."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import Insn, encode

Make = Callable[..., tuple[int, int]]
RETURN_0 = encode([Insn(0xB7, imm=0), Insn(0x95)])
NO_FD, LOOPBACK, NO_DEVICE = 9999, 1, 4321
KEYS = [struct.pack("=I", index) for index in (0, 1, 5, 0xFFFFFFFF)]


def u32(*numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}I", *numbers)


@pytest.fixture
def load(both: Any) -> Callable[..., tuple[int, int]]:
    """Give the function that loads a program which returns 0 into both kernels."""

    def program(prog_type: ProgType = ProgType.XDP, **values: Any) -> tuple[int, int]:
        loaded: tuple[int, int] = both.open(
            Command.PROG_LOAD, prog_type=prog_type, insn_cnt=2, insns=RETURN_0, license=b"GPL\0", **values
        )
        return loaded

    return program


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Give a bound datagram socket, one that shares its port, and a listening one."""
    opened = [socket.socket(type=kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_DGRAM, socket.SOCK_STREAM)]
    opened[1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    for each in opened:
        each.bind(("127.0.0.1", 0))
    opened[2].listen()
    yield opened
    for each in opened:
        each.close()


def touch(both: Any, map_fd: tuple[int, int], values: list[Any], size: int = 4) -> None:
    """Update, look up, walk and delete, with every key, value and flag."""
    for key in KEYS:
        for value in values:
            for flags in (0, 1, 2, 3, 4):
                both(Command.MAP_UPDATE_ELEM, map_fd=map_fd, key=key, value=value, flags=flags)
        found = both(Command.MAP_LOOKUP_ELEM, map_fd=map_fd, key=key, room={"value": size}, flags=0)
        assert found.result <= 0
        both(Command.MAP_GET_NEXT_KEY, map_fd=map_fd, key=key, room={"next_key": 4})
        both(Command.MAP_LOOKUP_AND_DELETE_ELEM, map_fd=map_fd, key=key, value=bytearray(size))
    for key in [*KEYS, *KEYS]:
        both(Command.MAP_DELETE_ELEM, map_fd=map_fd, key=key)


DEVICES = [u32(LOOPBACK), u32(0), u32(NO_DEVICE)]
QUEUES = [u32(192), u32(0), u32(16385)]
WITH_PROGRAM = [u32(number, fd) for number in (LOOPBACK, 0, NO_DEVICE) for fd in (0, NO_FD, 0xFFFFFFFF, 0)]


@pytest.mark.parametrize(
    ("map_type", "shape", "values"),
    [
        (MapType.DEVMAP, (4, 4, 3, 0), DEVICES),
        (MapType.DEVMAP, (4, 8, 3, 0), WITH_PROGRAM),
        (MapType.DEVMAP_HASH, (4, 4, 2, 0), DEVICES),
        (MapType.DEVMAP_HASH, (4, 8, 2, 0), WITH_PROGRAM),
        (MapType.CPUMAP, (4, 4, 2, 0), QUEUES),
        (MapType.CPUMAP, (4, 8, 2, 0), [u32(192, NO_FD), u32(192, 0), u32(0, NO_FD)]),
        (MapType.XSKMAP, (4, 4, 3, 0), [u32(NO_FD), u32(0)]),
        (MapType.PROG_ARRAY, (4, 4, 3, 0), [u32(NO_FD), u32(0)]),
        (MapType.PERF_EVENT_ARRAY, (4, 4, 3, 0), [u32(NO_FD), u32(0)]),
        (MapType.PERF_EVENT_ARRAY, (4, 4, 3, MapFlag.PRESERVE_ELEMS), [u32(NO_FD)]),
        (MapType.CGROUP_ARRAY, (4, 4, 3, 0), [u32(NO_FD), u32(0)]),
        (MapType.STACK_TRACE, (4, 8, 3, 0), [u32(0, 0)]),
        (MapType.SOCKMAP, (4, 4, 3, 0), [u32(NO_FD), u32(0)]),
        (MapType.SOCKHASH, (4, 8, 3, 0), [u32(NO_FD, 0), u32(0, 0), u32(0, 1)]),
        (MapType.REUSEPORT_SOCKARRAY, (4, 8, 3, 0), [u32(NO_FD, 0), u32(0, 0), u32(0, 1)]),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, MapType) else None,
)
def test_elements_that_name_no_object_are_answered_as_by_the_kernel(
    both: Any, make: Make, map_type: MapType, shape: tuple[int, ...], values: list[bytes]
) -> None:
    touch(both, make(map_type, *shape), values, shape[1])


def test_sockets_of_the_process_are_answered_as_by_the_kernel(
    both: Any, make: Make, sockets: list[socket.socket]
) -> None:
    for map_type in (MapType.SOCKMAP, MapType.SOCKHASH, MapType.REUSEPORT_SOCKARRAY):
        map_fd = make(map_type, 4, 8, 3)
        for sock in sockets:
            for key in KEYS:
                values = {"key": key, "value": u32(sock.fileno(), 0)}
                both(Command.MAP_UPDATE_ELEM, map_fd=map_fd, flags=0, **values)
                both(Command.MAP_LOOKUP_ELEM, map_fd=map_fd, key=key, room={"value": 8})
                both(Command.MAP_DELETE_ELEM, map_fd=map_fd, key=key)


def test_a_program_array_takes_programs_of_one_kind_only(both: Any, make: Make, load: Make) -> None:
    programs = make(MapType.PROG_ARRAY, 4, 4, 3)
    for program in (load(), load(), load(ProgType.SOCKET_FILTER)):
        value = tuple(u32(fd) for fd in program)
        both(Command.MAP_UPDATE_ELEM, map_fd=programs, key=KEYS[0], value=value)
    both(Command.MAP_LOOKUP_ELEM, map_fd=programs, key=KEYS[1], room={"value": 4})
    for key in KEYS[:2]:
        both(Command.MAP_DELETE_ELEM, map_fd=programs, key=key)


def test_a_device_map_takes_only_programs_loaded_for_it(both: Any, make: Make, load: Make) -> None:
    devices, cpus = make(MapType.DEVMAP, 4, 8, 3), make(MapType.CPUMAP, 4, 8, 1)
    for attach_type in (0, 33, 35):
        program = load(expected_attach_type=attach_type)
        for target, number in ((devices, LOOPBACK), (cpus, 192)):
            value = tuple(u32(number, fd) for fd in program)
            both(Command.MAP_UPDATE_ELEM, map_fd=target, key=KEYS[0], value=value)


@pytest.mark.parametrize("outer", [MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS], ids=["array", "hash"])
@pytest.mark.parametrize("template_flags", [0, MapFlag.INNER_MAP], ids=["fixed", "any length"])
def test_an_inner_map_has_to_be_like_the_template(both: Any, make: Make, outer: MapType, template_flags: int) -> None:
    template = make(MapType.ARRAY, 4, 4, 2, template_flags)
    maps = make(outer, 4, 4, 2, inner_map_fd=template)
    candidates = [
        make(MapType.ARRAY, 4, 4, 2, template_flags),
        make(MapType.ARRAY, 4, 4, 3, template_flags),
        make(MapType.ARRAY, 4, 8, 2, template_flags),
        make(MapType.HASH, 4, 4, 2),
        (NO_FD, NO_FD),
        maps,
    ]
    for flags in (0, 1, 2, 3):
        for key in KEYS:
            for candidate in candidates:
                value = tuple(u32(fd) for fd in candidate)
                both(Command.MAP_UPDATE_ELEM, map_fd=maps, key=key, value=value, flags=flags)
    for key in [*KEYS, *KEYS]:
        both(Command.MAP_LOOKUP_AND_DELETE_ELEM, map_fd=maps, key=key, value=bytearray(4))
        both(Command.MAP_DELETE_ELEM, map_fd=maps, key=key)
        both(Command.MAP_LOOKUP_ELEM, map_fd=maps, key=key, value=bytearray(4))
