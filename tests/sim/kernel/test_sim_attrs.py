"""A field of an attr that is out of place is found by the simulator where the running kernel finds it."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

import pytest

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.abi.flags import ProgFlag
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.asm.insn import Insn, encode
from bpflab.backend.attr import Attr

Make = Callable[..., tuple[int, int]]
RETURN_0 = encode([Insn(0xB7, imm=0), Insn(0x95)])
RETURN_1 = encode([Insn(0xB7, imm=1), Insn(0x95)])
NO_FD = 9999
KEYS, VALUES = bytes(4 * NO_FD), bytes(8 * NO_FD)
"""As long as the largest count that is tried, so that no kernel reads what lies behind."""
NO_ID = 0x7FFFFFF0
ATTR_SIZE = 168
WORDS = (1, 0x80000000, 0xFFFFFFFF, NO_FD)

BASES: dict[Command, dict[str, Any]] = {
    Command.MAP_CREATE: {"map_type": MapType.HASH, "key_size": 4, "value_size": 8, "max_entries": 4},
    Command.MAP_LOOKUP_ELEM: {"key": b"abcd", "value": bytearray(8)},
    Command.MAP_UPDATE_ELEM: {"key": b"abcd", "value": bytearray(8)},
    Command.MAP_DELETE_ELEM: {"key": b"none"},
    Command.MAP_GET_NEXT_KEY: {"key": b"abcd", "next_key": bytearray(4)},
    Command.MAP_LOOKUP_AND_DELETE_ELEM: {"key": b"none", "value": bytearray(8)},
    Command.MAP_LOOKUP_BATCH: {"keys": KEYS, "values": VALUES, "out_batch": bytearray(4), "count": 1},
    Command.MAP_UPDATE_BATCH: {"keys": KEYS, "values": VALUES, "count": 1},
    Command.MAP_DELETE_BATCH: {"keys": KEYS, "count": 1},
    Command.PROG_LOAD: {
        "prog_type": ProgType.SOCKET_FILTER,
        "insn_cnt": 2,
        "insns": RETURN_0.ljust(8 * NO_FD, b"\0"),
        "license": b"GPL\0",
    },
    Command.OBJ_PIN: {"pathname": b"/no/such/place\0"},
    Command.OBJ_GET: {"pathname": b"/no/such/place\0"},
    Command.PROG_ATTACH: {},
    Command.PROG_DETACH: {},
    Command.PROG_QUERY: {"target_fd": NO_FD},
    Command.PROG_GET_NEXT_ID: {"start_id": NO_ID},
    Command.MAP_GET_NEXT_ID: {"start_id": NO_ID},
    Command.BTF_GET_NEXT_ID: {"start_id": NO_ID},
    Command.LINK_GET_NEXT_ID: {"start_id": NO_ID},
    Command.PROG_GET_FD_BY_ID: {"start_id": NO_ID},
    Command.MAP_GET_FD_BY_ID: {"start_id": NO_ID},
    Command.BTF_GET_FD_BY_ID: {"start_id": NO_ID},
    Command.LINK_GET_FD_BY_ID: {"start_id": NO_ID},
    Command.RAW_TRACEPOINT_OPEN: {"name": b"nothing\0", "prog_fd": NO_FD},
    Command.BTF_LOAD: {"btf": bytes(NO_FD), "btf_size": 24},
    Command.LINK_CREATE: {"prog_fd": NO_FD},
    Command.LINK_UPDATE: {"link_fd": NO_FD},
    Command.LINK_DETACH: {"link_fd": NO_FD},
    Command.ITER_CREATE: {"link_fd": NO_FD},
    Command.TOKEN_CREATE: {"bpffs_fd": NO_FD},
    Command.ENABLE_STATS: {"type": 7},
    Command.PROG_BIND_MAP: {"prog_fd": NO_FD},
    Command.PROG_STREAM_READ_BY_FD: {"prog_fd": NO_FD, "stream_id": 1},
}
"""For each command an attr that makes sense, without the descriptors that are put in below."""

TARGETS = {"map_fd": "table", "attach_bpf_fd": "program"}


def free_words(command: Command) -> list[int]:
    """Return the offsets of the words that are no part of a pointer and name no target of a network."""
    pointers = {field.offset for field in LAYOUTS[command].fields if field.format == "Q" and field.name not in NUMBERS}
    named = {LAYOUTS[command].field(name).offset for name in (*TARGETS, "start_id") if name in LAYOUTS[command].by_name}
    taken = pointers | {offset + 4 for offset in pointers} | named
    return [offset for offset in range(0, ATTR_SIZE + 16, 4) if offset not in taken]


NUMBERS = {"flags", "elem_flags", "cookie", "expected_revision", "revision", "map_extra"}


@pytest.mark.parametrize("command", BASES, ids=lambda command: command.name.lower())
def test_a_word_in_any_place_is_answered_as_by_the_kernel(both: Any, make: Make, load: Make, command: Command) -> None:
    objects = {"table": make(MapType.HASH, 4, 8, 4), "program": load()}
    given = {name: objects[what] for name, what in TARGETS.items() if name in LAYOUTS[command].by_name}
    for offset in free_words(command):
        for word in WORDS:
            answers = [poke(both, side, command, BASES[command] | given, (offset, word)) for side in (0, 1)]
            assert answers[1] == answers[0], f"{command.name}: {word:#x} at {offset}"


def poke(both: Any, side: int, command: Command, values: dict[str, Any], poked: tuple[int, int]) -> int:
    own = {name: value[side] if isinstance(value, tuple) else value for name, value in values.items()}
    attr = Attr(command, own)
    whole = ctypes.create_string_buffer(ATTR_SIZE + 32)
    ctypes.memmove(whole, attr.pointer, attr.size)
    struct.pack_into("=I", whole, *poked)
    backend = both.backends[side]
    result = backend.bpf(command, ctypes.c_void_p(ctypes.addressof(whole)), max(ATTR_SIZE, poked[0] + 4))
    if result < 0:
        return -int(backend.errno())
    if command in {Command.MAP_CREATE, Command.PROG_LOAD, Command.ENABLE_STATS}:
        backend.close(result)
        return 0
    return int(result)


@pytest.mark.parametrize("size", [0, 4, 167, 168, 169, 4096, 4097])
@pytest.mark.parametrize("command", [Command.MAP_CREATE, Command.LINK_DETACH, 999])
@pytest.mark.parametrize("last", [0, 1], ids=["zero", "something"])
def test_an_attr_of_any_size_is_answered_as_by_the_kernel(both: Any, command: int, size: int, last: int) -> None:
    data = bytearray(max(size, 16))
    data[0], data[size - 1 if size else 0] = 99, last
    answers = []
    for backend in both.backends:
        whole = ctypes.create_string_buffer(bytes(data), len(data))
        result = backend.bpf(command, ctypes.c_void_p(ctypes.addressof(whole)), size)
        answers.append(result if result >= 0 else -backend.errno())
    assert answers[1] == answers[0]


@pytest.mark.parametrize("prog_type", [kind for kind in ProgType if kind not in {20, 26, 28, 29}])
def test_a_program_is_loaded_for_the_attach_types_that_its_type_has(both: Any, prog_type: ProgType) -> None:
    for attach_type in range(62):
        for flags in (0, ProgFlag.SLEEPABLE, ProgFlag.XDP_HAS_FRAGS, ProgFlag.XDP_DEV_BOUND_ONLY):
            both.refused(
                Command.PROG_LOAD,
                prog_type=prog_type,
                expected_attach_type=attach_type,
                prog_flags=flags,
                insn_cnt=2,
                insns=RETURN_1,
                license=b"GPL\0",
            )


@pytest.mark.parametrize(
    "values",
    [
        {"log_level": 1},
        {"log_level": 16},
        {"log_size": 100},
        {"log_buf": bytearray(100), "log_size": 100},
        {"log_buf": bytearray(100), "log_level": 1},
        {"log_buf": bytearray(8), "log_size": 8, "log_level": 1},
        {"log_buf": bytearray(8), "log_size": 8, "log_level": 9},
        {"insns": 0},
        {"license": 0},
        {"insn_cnt": 0},
        {"insn_cnt": 1_000_001},
        {"prog_name": b"a b"},
        {"prog_name": b"x" * 16},
        {"prog_ifindex": 1},
        {"attach_btf_id": 1},
        {"attach_prog_fd": NO_FD},
        {"fd_array_cnt": 1},
        {"fd_array": struct.pack("=i", NO_FD), "fd_array_cnt": 1},
        {"func_info_cnt": 1, "func_info": bytes(8), "func_info_rec_size": 8},
        {"line_info_cnt": 1, "line_info": bytes(16), "line_info_rec_size": 16},
        {"prog_flags": 1 << 20},
    ],
)
def test_an_attr_of_prog_load_is_answered_as_by_the_kernel(both: Any, values: dict[str, Any]) -> None:
    base = {"prog_type": ProgType.SOCKET_FILTER, "insn_cnt": 2, "insns": RETURN_0, "license": b"GPL\0"}
    both.refused(Command.PROG_LOAD, **base | values)
