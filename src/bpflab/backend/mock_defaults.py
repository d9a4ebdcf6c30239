"""What a mock answers where nothing was scripted: fresh descriptors, and what it was told before.

Programs are not run: PROG_TEST_RUN answers retval 0 and the packet as it came. Batches answer EINVAL, as a map
without batch operations does, so that elements are moved one by one and the log shows each.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.info import BTF_INFO, LINK_INFO, MAP_INFO, PROG_INFO
from bpflab.backend import mock_elements
from bpflab.backend.mock_objects import MockObject, refusal
from bpflab.errors import UnscriptedCallError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.abi.layout import Layout
    from bpflab.backend.calls import Call
    from bpflab.backend.mock_objects import MockObjects

    Default = Callable[[MockObjects, Call], int]

LONG: Final = 60.0
"""Seconds: who waits longer for something that never happens is told so instead."""
CREATES: Final = {
    Command.MAP_CREATE: ("map", "map_name"),
    Command.PROG_LOAD: ("program", "prog_name"),
    Command.BTF_LOAD: ("btf", ""),
    Command.LINK_CREATE: ("link", ""),
    Command.RAW_TRACEPOINT_OPEN: ("link", "name"),
    Command.ITER_CREATE: ("iterator", ""),
    Command.ENABLE_STATS: ("statistics", ""),
    Command.TOKEN_CREATE: ("token", ""),
}
"""The commands that answer a new descriptor: what it stands for, and the field with its name."""
INFO: Final = {"map": MAP_INFO, "program": PROG_INFO, "btf": BTF_INFO, "link": LINK_INFO}
FROM_FIELDS: Final = {
    "map": {name: name for name in ("key_size", "value_size", "max_entries", "map_flags", "map_extra")}
    | {"type": "map_type"},
    "program": {"type": "prog_type"},
    "link": {"type": "attach_type"},
}
"""The fields of an object's info that are fields of the attr it was created with."""
BY_ID: Final = {"prog": "program", "map": "map", "btf": "btf", "link": "link"}


def create(objects: MockObjects, call: Call, fd: int | None = None) -> int:
    """Remember what a creating command makes, under a fresh descriptor or the given one."""
    kind, named = CREATES[Command[call.command]]
    return objects.create(kind, str(call.fields.get(named) or ""), dict(call.fields), fd)


def info(objects: MockObjects, call: Call) -> int:
    """OBJ_GET_INFO_BY_FD: the number, name and fields that the object was created with."""
    target = objects.get(call.fields["bpf_fd"])
    layout = INFO.get(target.kind)
    if layout is None:
        raise refusal(Errno.EINVAL)
    room = call.fields["info_len"]
    call.fill("info", info_bytes(target, layout)[: room if isinstance(room, int) else 0])
    return 0


def info_bytes(target: MockObject, layout: Layout) -> bytes:
    """Pack what is known of an object."""
    values: dict[str, int | bytes] = {"id": target.id}
    values |= {name: target.number(field) for name, field in FROM_FIELDS.get(target.kind, {}).items()}
    if layout in (MAP_INFO, PROG_INFO):
        values["name"] = target.name.encode()
    if layout is PROG_INFO:
        values["xlated_prog_len"] = 8 * target.number("insn_cnt")
    return bytes(layout.pack(values))


def run(objects: MockObjects, call: Call) -> int:
    """PROG_TEST_RUN: retval 0, and packet and context as they came."""
    objects.get(call.fields["prog_fd"], "program")
    for given, answered in (("data_in", "data_out"), ("ctx_in", "ctx_out")):
        _, address, room = call.room[answered]
        data = call.fields[given]
        if address and isinstance(data, bytes):
            call.fill(answered, data[:room])
    call.fill("retval", 0)
    return 0


def pin(objects: MockObjects, call: Call) -> int:
    """OBJ_PIN: EEXIST where something is pinned already."""
    path = str(call.fields["pathname"])
    if path in objects.pins:
        raise refusal(Errno.EEXIST)
    objects.pins[path] = objects.get(call.fields["bpf_fd"])
    return 0


def open_pin(objects: MockObjects, call: Call) -> int:
    """OBJ_GET: a fresh descriptor of what is pinned there; ENOENT otherwise."""
    path = str(call.fields["pathname"])
    if path not in objects.pins:
        raise refusal(Errno.ENOENT)
    return objects.open(objects.pins[path])


def open_by_id(objects: MockObjects, call: Call) -> int:
    """*_GET_FD_BY_ID: a fresh descriptor; ENOENT when nothing holds such an object."""
    return objects.open(objects.by_id(_kind_of(call), call.fields["start_id"]))


def next_id(objects: MockObjects, call: Call) -> int:
    """*_GET_NEXT_ID: the next number of that kind."""
    call.fill("next_id", objects.next_id(_kind_of(call), call.fields["start_id"]))
    return 0


def refuse(objects: MockObjects, call: Call) -> int:
    """Batches: not offered."""
    objects.map(call.fields["map_fd"])
    raise refusal(Errno.EINVAL)


def nothing(objects: MockObjects, call: Call) -> int:
    """Answer 0 to everything else."""
    del objects, call
    return 0


def no_answer(call: Call) -> int:
    """Answer 0 to a call beside bpf(2)."""
    del call
    return 0


def wait_in_vain(call: Call) -> int:
    """poll: nothing happens on a mock, so the time passes; UnscriptedCallError where it would be long."""
    timeout = call.fields["timeout"]
    if not isinstance(timeout, int | float) or timeout > LONG:
        raise UnscriptedCallError(
            f"poll waits {'for ever' if timeout is None else f'{timeout} seconds'} on a mock, where nothing happens by "
            "itself; script mock.on('poll').answers(ready=[fd]), or give a shorter timeout."
        )
    time.sleep(max(timeout, 0))
    return 0


def _kind_of(call: Call) -> str:
    return BY_ID[call.command.partition("_")[0].lower()]


DEFAULTS: Final[Mapping[str, Default]] = {
    "MAP_LOOKUP_ELEM": mock_elements.lookup,
    "MAP_UPDATE_ELEM": mock_elements.update,
    "MAP_DELETE_ELEM": mock_elements.delete,
    "MAP_GET_NEXT_KEY": mock_elements.next_key,
    "MAP_LOOKUP_AND_DELETE_ELEM": mock_elements.take,
    "MAP_FREEZE": mock_elements.freeze,
    "OBJ_GET_INFO_BY_FD": info,
    "PROG_TEST_RUN": run,
    "OBJ_PIN": pin,
    "OBJ_GET": open_pin,
    **{command.name: create for command in CREATES},
    **{command.name: open_by_id for command in Command if command.name.endswith("GET_FD_BY_ID")},
    **{command.name: next_id for command in Command if command.name.endswith("GET_NEXT_ID")},
    **{command.name: refuse for command in Command if command.name.endswith("_BATCH")},
}
"""What is answered to each command; `nothing` to those that are not here."""
