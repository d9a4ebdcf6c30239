"""OBJ_GET_INFO_BY_FD fills in what the running kernel fills in, of structs of any length."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.info import BTF_INFO, MAP_INFO, PROG_INFO
from bpflab.abi.layout import Layout
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import Insn, encode
from bpflab.obj.btf import Btf
from bpflab.obj.btf_types import Int

Descriptors = tuple[int, int]
Make = Callable[..., Descriptors]
RUN_OF_ITS_OWN = {"id", "map_ids", "btf_id", "load_time", "jited_prog_len", "tag", "xlated_prog_insns", "btf"}


def info(both: Any, fds: Descriptors, layout: Layout, given: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Ask both for an object's info and return its fields."""
    answers = []
    for side in (0, 1):
        data = bytearray(-(-layout.size // 8) * 8)
        for name, value in (given or {}).items():
            layout.set(data, name, value[side] if isinstance(value, tuple) else value)
        result, attr = both.send(
            side, Command.OBJ_GET_INFO_BY_FD, {"bpf_fd": fds[side], "info": data, "info_len": len(data)}
        )
        answers.append(layout.unpack(data) | {"result": result, "length": attr["info_len"]})
    return answers


def agree(both: Any, fds: Descriptors, layout: Layout, given: dict[str, Any] | None = None) -> dict[str, Any]:
    """Assert that both say the same, but for ids, times and machine code, and return it."""
    kernel, sim = info(both, fds, layout, given)
    differing = {name for name in kernel if kernel[name] != sim[name]}
    assert differing <= RUN_OF_ITS_OWN
    return sim


def test_a_map_is_described_as_by_the_kernel(both: Any, make: Make) -> None:
    said = agree(both, make(MapType.HASH, 4, 12, 7, MapFlag.NO_PREALLOC, map_name=b"a.map"), MAP_INFO)
    assert (said["name"][:6], said["max_entries"]) == (b"a.map\0", 7)


@pytest.mark.parametrize(
    ("map_type", "shape"),
    [
        (MapType.DEVMAP, (4, 4, 3, 0)),
        (MapType.LRU_HASH, (4, 4, 3, MapFlag.NO_COMMON_LRU)),
        (MapType.LRU_PERCPU_HASH, (4, 4, 1, MapFlag.NO_COMMON_LRU)),
        (MapType.RINGBUF, (0, 0, 4096, 0)),
        (MapType.QUEUE, (0, 4, 3, MapFlag.RDONLY)),
        (MapType.ARRAY, (4, 4, 3, MapFlag.MMAPABLE)),
    ],
)
def test_a_map_is_described_as_it_was_made(both: Any, make: Make, map_type: MapType, shape: tuple[int, ...]) -> None:
    agree(both, make(map_type, *shape), MAP_INFO)


def test_the_hash_of_a_programs_instructions_is_the_kernels(both: Any, make: Make) -> None:
    array = make(MapType.ARRAY, 4, 8, 1)
    wide = [Insn(0x18, 1, 2), Insn(0, imm=4), Insn(0xB7, imm=7), Insn(0x95)]
    code = tuple(encode([Insn(0x18, 1, 2, imm=fd), *wide[1:]]) for fd in array)
    program = both.open(Command.PROG_LOAD, prog_type=ProgType.SOCKET_FILTER, insn_cnt=4, insns=code, license=b"GPL\0")
    kernel, sim = info(both, program, PROG_INFO)
    assert sim["tag"] == kernel["tag"] != bytes(8)
    assert sim["xlated_prog_len"] == kernel["xlated_prog_len"] == 32


@pytest.mark.parametrize("text", [b"GPL\0", b"Dual BSD/GPL\0", b"GPL v3\0", b"\0"])
def test_a_program_is_described_as_by_the_kernel(both: Any, text: bytes) -> None:
    code = encode([Insn(0xB7, imm=2), Insn(0x95)])
    program = both.open(
        Command.PROG_LOAD, prog_type=ProgType.XDP, insn_cnt=2, insns=code, license=text, prog_name=b"drop_all"
    )
    assert agree(both, program, PROG_INFO)["verified_insns"] == 2


@pytest.mark.parametrize(
    "given",
    [
        {"func_info_rec_size": 8},
        {"func_info_rec_size": 4},
        {"line_info_rec_size": 16},
        {"line_info_rec_size": 24},
        {"jited_line_info_rec_size": 8},
        {"jited_line_info_rec_size": 4},
        {"nr_func_info": 1},
        {"nr_line_info": 1},
        {"nr_map_ids": 1},
        {"nr_prog_tags": 1},
        {"nr_jited_ksyms": 1},
    ],
    ids=lambda given: " ".join(f"{name} {value}" for name, value in given.items()),
)
def test_what_the_caller_asks_for_is_checked_as_by_the_kernel(both: Any, make: Make, given: dict[str, int]) -> None:
    array = make(MapType.ARRAY, 4, 8, 1)
    code = tuple(encode([Insn(0x18, 1, 1, imm=fd), Insn(0), Insn(0xB7, imm=7), Insn(0x95)]) for fd in array)
    program = both.open(Command.PROG_LOAD, prog_type=ProgType.SOCKET_FILTER, insn_cnt=4, insns=code, license=b"GPL\0")
    agree(both, program, PROG_INFO, given)


def test_instructions_are_shown_with_ids_of_maps(both: Any, make: Make) -> None:
    array = make(MapType.ARRAY, 4, 8, 1)
    code = tuple(encode([Insn(0x18, 1, 1, imm=fd), Insn(0), Insn(0xB7, imm=7), Insn(0x95)]) for fd in array)
    program = both.open(Command.PROG_LOAD, prog_type=ProgType.SOCKET_FILTER, insn_cnt=4, insns=code, license=b"GPL\0")
    rooms = [ctypes.create_string_buffer(64) for _ in range(2)]
    places = tuple(ctypes.addressof(room) for room in rooms)
    agree(both, program, PROG_INFO, {"xlated_prog_len": 64, "xlated_prog_insns": places})
    numbers = [said["id"] for said in info(both, array, MAP_INFO)]
    for room, number in zip(rooms, numbers, strict=True):
        assert struct.unpack_from("=I", room.raw, 4)[0] == number
        struct.pack_into("=I", room, 4, 0)
    assert rooms[0].raw == rooms[1].raw


def test_types_are_given_back_as_they_were_loaded(both: Any) -> None:
    blob = Btf.build([Int(name="int", size=4, bits=32)]).data
    btf = both.open(Command.BTF_LOAD, btf=blob, btf_size=len(blob))
    room = ctypes.create_string_buffer(len(blob) + 8)
    said = agree(both, btf, BTF_INFO, {"btf": ctypes.addressof(room), "btf_size": len(room)})
    assert (said["btf_size"], room.raw[: len(blob)]) == (len(blob), blob)


@pytest.mark.parametrize("length", [0, 4, 80, 100, 104, 108, 4096, 4097])
@pytest.mark.parametrize("last", [0, 1], ids=["zero", "something"])
def test_a_struct_of_any_length_is_answered_as_by_the_kernel(both: Any, make: Make, length: int, last: int) -> None:
    table = make(MapType.HASH, 4, 4, 1)
    given = bytearray(max(length, 1))
    given[-1] = last
    answers = []
    for side in (0, 1):
        result, attr = both.send(
            side,
            Command.OBJ_GET_INFO_BY_FD,
            {"bpf_fd": table[side], "info": bytearray(given), "info_len": length},
        )
        answers.append((result, attr["info_len"]))
    assert answers[1] == answers[0]
