"""Objects live as long as somebody holds them: descriptors, programs, outer maps, pins, links, mappings."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import Insn, encode

Descriptors = tuple[int, int]
Make = Callable[..., Descriptors]
ENOENT = 2
PAGE = 4096


def close(both: Any, fds: Descriptors) -> None:
    """Close a pair that was opened."""
    both.opened.remove(fds)
    for backend, fd in zip(both.backends, fds, strict=True):
        backend.close(fd)


def id_of(both: Any, fds: Descriptors) -> Descriptors:
    """Read the second field of any object's info: its id."""
    ids = []
    for side in (0, 1):
        info = bytearray(64)
        result, _ = both.send(side, Command.OBJ_GET_INFO_BY_FD, {"bpf_fd": fds[side], "info": info, "info_len": 8})
        assert result == 0
        ids.append(struct.unpack_from("=I", info, 4)[0])
    return ids[0], ids[1]


def is_gone(both: Any, number: Descriptors, command: Command = Command.MAP_GET_FD_BY_ID) -> bool:
    """Tell whether an object is gone; the running kernel may take its time, the simulator may not."""
    for _ in range(500):
        result, _ = both.send(0, command, {"start_id": number[0]})
        if result < 0:
            break
        both.backends[0].close(result)
        time.sleep(0.01)
    return not is_there(both, number, command)


def is_there(both: Any, number: Descriptors, command: Command = Command.MAP_GET_FD_BY_ID) -> bool:
    refused: int = both.refused(command, start_id=number)
    assert refused in {0, ENOENT}
    return not refused


def test_a_map_goes_with_its_last_descriptor(both: Any, make: Make) -> None:
    table = make(MapType.HASH, 4, 4, 1)
    number = id_of(both, table)
    kernel, sim = (backend.dup(fd) for backend, fd in zip(both.backends, table, strict=True))
    close(both, table)
    assert is_there(both, number)
    both.backends[0].close(kernel)
    both.backends[1].close(sim)
    assert is_gone(both, number)


def test_a_program_keeps_the_maps_that_it_names(both: Any, make: Make) -> None:
    table = make(MapType.ARRAY, 4, 4, 1)
    number = id_of(both, table)
    code = tuple(encode([Insn(0x18, 1, 1, imm=fd), Insn(0), Insn(0xB7), Insn(0x95)]) for fd in table)
    program = both.open(Command.PROG_LOAD, prog_type=ProgType.SOCKET_FILTER, insn_cnt=4, insns=code, license=b"GPL\0")
    close(both, table)
    assert is_there(both, number)
    close(both, program)
    assert is_gone(both, number)


def test_a_program_keeps_the_maps_that_are_bound_to_it(both: Any, make: Make, load: Make) -> None:
    table, program = make(MapType.ARRAY, 4, 4, 1), load()
    number = id_of(both, table)
    for _ in range(2):
        assert both(Command.PROG_BIND_MAP, prog_fd=program, map_fd=table).result == 0
    close(both, table)
    assert is_there(both, number)
    close(both, program)
    assert is_gone(both, number)


@pytest.mark.parametrize("outer_type", [MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS])
def test_an_outer_map_keeps_its_inner_maps_but_not_their_template(both: Any, make: Make, outer_type: MapType) -> None:
    template, inner = make(MapType.ARRAY, 4, 4, 1), make(MapType.ARRAY, 4, 4, 1)
    outer = make(outer_type, 4, 4, 1, inner_map_fd=template)
    numbers = id_of(both, template), id_of(both, inner)
    value = tuple(struct.pack("=I", fd) for fd in inner)
    assert both(Command.MAP_UPDATE_ELEM, map_fd=outer, key=bytes(4), value=value).result == 0
    close(both, inner)
    close(both, template)
    assert is_gone(both, numbers[0])
    assert is_there(both, numbers[1])
    close(both, outer)
    assert is_gone(both, numbers[1])


def test_a_pin_keeps_a_map_until_it_is_removed(both: Any, make: Make, bpf_fs: tuple[str, str]) -> None:
    table = make(MapType.HASH, 4, 4, 1)
    number = id_of(both, table)
    paths = tuple(f"{root}/table" for root in bpf_fs)
    assert both(Command.OBJ_PIN, pathname=tuple(path.encode() + b"\0" for path in paths), bpf_fd=table).result == 0
    close(both, table)
    assert is_there(both, number)
    for backend, path in zip(both.backends, paths, strict=True):
        backend.unlink(path)
    assert is_gone(both, number)


def test_a_mapping_keeps_a_map_until_it_is_unmapped(both: Any, make: Make) -> None:
    array = make(MapType.ARRAY, 4, 8, 4, MapFlag.MMAPABLE)
    number = id_of(both, array)
    mappings = [backend.mmap(fd, PAGE, writable=True) for backend, fd in zip(both.backends, array, strict=True)]
    close(both, array)
    assert is_there(both, number)
    for mapping in mappings:
        mapping.close()
    assert is_gone(both, number)


def test_a_map_with_a_writable_mapping_cannot_be_frozen(both: Any, make: Make) -> None:
    array = make(MapType.ARRAY, 4, 8, 4, MapFlag.MMAPABLE)
    mappings = [backend.mmap(fd, PAGE, writable=True) for backend, fd in zip(both.backends, array, strict=True)]
    both(Command.MAP_FREEZE, map_fd=array)
    for mapping in mappings:
        mapping.close()
    both(Command.MAP_FREEZE, map_fd=array)


def test_a_program_array_is_emptied_when_user_space_lets_go_of_it(both: Any, make: Make, load: Make) -> None:
    programs, program = make(MapType.PROG_ARRAY, 4, 4, 1), load()
    code = tuple(encode([Insn(0x18, 1, 1, imm=fd), Insn(0), Insn(0xB7), Insn(0x95)]) for fd in programs)
    user = both.open(Command.PROG_LOAD, prog_type=ProgType.SOCKET_FILTER, insn_cnt=4, insns=code, license=b"GPL\0")
    value = tuple(struct.pack("=I", fd) for fd in program)
    assert both(Command.MAP_UPDATE_ELEM, map_fd=programs, key=bytes(4), value=value).result == 0
    number, user_number = id_of(both, program), id_of(both, user)
    close(both, program)
    assert is_there(both, number, Command.PROG_GET_FD_BY_ID)
    close(both, programs)
    assert is_gone(both, number, Command.PROG_GET_FD_BY_ID)
    assert is_there(both, user_number, Command.PROG_GET_FD_BY_ID)


def test_a_link_keeps_its_program(both: Any, load: Make, network: int) -> None:
    program = load(ProgType.SK_LOOKUP, 1, expected_attach_type=36)
    number = id_of(both, program)
    link = both.open(Command.LINK_CREATE, prog_fd=program, target_fd=network, attach_type=36)
    close(both, program)
    assert is_there(both, number, Command.PROG_GET_FD_BY_ID)
    link_number = id_of(both, link)
    close(both, link)
    assert is_gone(both, number, Command.PROG_GET_FD_BY_ID)
    assert is_gone(both, link_number, Command.LINK_GET_FD_BY_ID)


def test_ids_are_listed_in_order_and_not_given_twice(both: Any, make: Make) -> None:
    _, sim = both.backends
    first, second = make(MapType.HASH, 4, 4, 1), make(MapType.HASH, 4, 4, 1)
    numbers = [id_of(both, fds)[1] for fds in (first, second)]
    close(both, second)
    third = id_of(both, make(MapType.HASH, 4, 4, 1))[1]
    assert third > numbers[1] > numbers[0]
    _, attr = both.send(1, Command.MAP_GET_NEXT_ID, {"start_id": numbers[0]})
    assert attr["next_id"] == third
    assert sim.kernel.maps.after(0) <= numbers[0]


@pytest.mark.parametrize("start", [0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_no_id_is_asked_for_past_the_largest_integer(both: Any, start: int) -> None:
    for command in (Command.MAP_GET_NEXT_ID, Command.PROG_GET_NEXT_ID, Command.LINK_GET_NEXT_ID):
        both(command, start_id=start)


@pytest.mark.parametrize("command", [Command.MAP_FREEZE, Command.LINK_DETACH, Command.OBJ_GET_INFO_BY_FD])
def test_a_descriptor_of_another_kind_is_told_from_no_descriptor(both: Any, load: Make, command: Command) -> None:
    program = load()
    field = {Command.MAP_FREEZE: "map_fd", Command.LINK_DETACH: "link_fd"}.get(command, "bpf_fd")
    for fd in (program, 0, 9999):
        given = {"info": bytearray(8), "info_len": 0} if field == "bpf_fd" else {}
        both(command, **{field: fd}, **given)
