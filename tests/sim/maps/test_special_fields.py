"""Locks, timers and references in map values are the kernel's: found by BTF and kept from user space."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from bpflab.abi.btf import IntEncoding
from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.backend.attr import Attr
from bpflab.obj.btf import Btf
from bpflab.obj.btf_types import BtfType, Int, Member, Struct
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine
from bpflab.sim.timers import Timer

FIELDS = {"bpf_spin_lock": 4, "bpf_timer": 16, "bpf_wq": 16, "bpf_refcount": 4, "bpf_task_work": 8, "plain": 8}
TYPES = [
    (MapType.HASH, 0),
    (MapType.HASH, MapFlag.NO_PREALLOC),
    (MapType.HASH, MapFlag.RDONLY_PROG),
    (MapType.ARRAY, 0),
    (MapType.ARRAY, MapFlag.MMAPABLE),
    (MapType.PERCPU_HASH, 0),
    (MapType.PERCPU_ARRAY, 0),
    (MapType.LRU_HASH, 0),
    (MapType.LRU_PERCPU_HASH, 0),
]


def types_with(name: str, size: int) -> tuple[bytes, int]:
    """BTF of an int (1), the struct (2) and a value that holds one between two numbers (3), and the value's size."""
    words = tuple(Member(f"w{index}", 1, index * 32) for index in range(size // 4))
    start = 8 if size % 8 == 0 else 4
    whole = -(-(start + size + 4) // start) * start
    value = Struct(
        name="value",
        size=whole,
        members=(Member("x", 1, 0), Member("f", 2, start * 8), Member("y", 1, (start + size) * 8)),
    )
    number: BtfType = Int(name="int", size=4, bits=32, encoding=IntEncoding.SIGNED)
    return Btf.build([number, Struct(name=name, size=size, members=words), value]).data, whole


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(("map_type", "flags"), TYPES)
def test_a_special_field_is_treated_as_by_the_kernel(both: Any, name: str, map_type: MapType, flags: int) -> None:
    blob, size = types_with(name, FIELDS[name])
    btf = both.open(Command.BTF_LOAD, btf=blob, btf_size=len(blob))
    values = {"map_type": map_type, "key_size": 4, "value_size": size, "max_entries": 3, "map_flags": flags}
    values |= {"btf_fd": btf, "btf_key_type_id": 1, "btf_value_type_id": 3}
    if both.refused(Command.MAP_CREATE, **values):
        return
    table = both.open(Command.MAP_CREATE, **values)
    per_cpu = map_type in {MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH}
    room = -(-size // 8) * 8 * both.backends[0].possible_cpus if per_cpu else size
    for _ in range(2):
        for update_flags in (0, 4, 1, 2, 5, 6):
            both(Command.MAP_UPDATE_ELEM, map_fd=table, key=bytes(4), value=b"\xff" * room, flags=update_flags)
        for lookup_flags in (0, 4):
            both(Command.MAP_LOOKUP_ELEM, map_fd=table, key=bytes(4), room={"value": room}, flags=lookup_flags)
        both(Command.MAP_LOOKUP_AND_DELETE_ELEM, map_fd=table, key=bytes(4), room={"value": room}, flags=4)
    both(Command.MAP_FREEZE, map_fd=table)


@pytest.mark.parametrize(
    "wrong",
    [
        {"value_size": 8},
        {"key_size": 8},
        {"btf_key_type_id": 0},
        {"btf_value_type_id": 2},
        {"btf_value_type_id": 99},
        {"btf_key_type_id": 3},
        {"btf_fd": 9999},
        {"btf_fd": 0},
    ],
    ids=str,
)
@pytest.mark.parametrize("map_type", [MapType.HASH, MapType.ARRAY, MapType.LPM_TRIE, MapType.DEVMAP])
def test_types_that_do_not_fit_are_refused_as_by_the_kernel(
    both: Any, map_type: MapType, wrong: dict[str, int]
) -> None:
    blob, size = types_with("plain", 8)
    btf = both.open(Command.BTF_LOAD, btf=blob, btf_size=len(blob))
    flags = MapFlag.NO_PREALLOC if map_type is MapType.LPM_TRIE else 0
    values = {"map_type": map_type, "key_size": 4, "value_size": size, "max_entries": 3, "map_flags": flags}
    both.refused(Command.MAP_CREATE, **values | {"btf_fd": btf, "btf_key_type_id": 1, "btf_value_type_id": 3} | wrong)


@pytest.mark.parametrize(
    ("place", "byte"), [(0, 0), (2, 2), (3, 1), (4, 25), (4, 200), (8, 1), (12, 1), (16, 200), (20, 1), (24, 255)]
)
def test_a_damaged_header_is_refused_as_by_the_kernel(both: Any, place: int, byte: int) -> None:
    blob = bytearray(types_with("plain", 8)[0])
    blob[place] = byte
    both.refused(Command.BTF_LOAD, btf=bytes(blob), btf_size=len(blob))


@pytest.mark.parametrize("map_type", [MapType.HASH, MapType.ARRAY, MapType.LRU_HASH])
@pytest.mark.parametrize("act", ["update", "delete", "close"])
def test_a_timer_is_cancelled_when_its_value_goes(map_type: MapType, act: str) -> None:
    sim = SimBackend(Machine(possible_cpus=1))
    blob, size = types_with("bpf_timer", 16)
    btf = send(sim, Command.BTF_LOAD, btf=blob, btf_size=len(blob))
    described = {"btf_fd": btf, "btf_key_type_id": 1, "btf_value_type_id": 3}
    sizes = {"key_size": 4, "value_size": size, "max_entries": 1}
    fd = send(sim, Command.MAP_CREATE, map_type=map_type, **sizes, **described)
    table = sim.kernel.files.get(fd).object
    key = struct.pack("=I", 0)
    send(sim, Command.MAP_UPDATE_ELEM, map_fd=fd, key=key, value=bytes(size))
    address = sim.kernel.maps.get(table.id).lookup(key) + 8
    timer = Timer(sim.kernel, sim.kernel.maps.get(table.id), address, 1)
    sim.kernel.timers[address] = timer
    timer.start(sim.kernel.clock.now + 1)
    if act == "update":
        send(sim, Command.MAP_UPDATE_ELEM, map_fd=fd, key=key, value=bytes(size))
    elif act == "delete":
        send(sim, Command.MAP_DELETE_ELEM, map_fd=fd, key=key)
    else:
        sim.close(fd)
    stays = act == "delete" and map_type is MapType.ARRAY
    assert (timer.alarm is not None) == stays == (address in sim.kernel.timers)


def send(sim: SimBackend, command: Command, **values: Any) -> int:
    attr = Attr(command, values)
    return sim.bpf(command, attr.pointer, attr.size)
