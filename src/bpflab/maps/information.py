"""What OBJ_GET_INFO_BY_FD says of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.abi.flags import MapFlag
from bpflab.abi.info import MAP_INFO
from bpflab.abi.map_types import MapType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.abi.layout import Value
    from bpflab.backend.call import Caller


@dataclass(frozen=True, slots=True)
class MapInfo:
    """A map as the kernel describes it; sizes in bytes. Fields that an older kernel does not know are 0.

    `btf_id` is the number of the loaded BTF that `btf_key_type_id` and `btf_value_type_id` belong to.
    """

    type: MapType
    id: int
    key_size: int
    value_size: int
    max_entries: int
    flags: MapFlag
    name: str
    ifindex: int
    btf_id: int
    btf_key_type_id: int
    btf_value_type_id: int
    map_extra: int


def map_info(call: Caller, fd: int) -> MapInfo:
    """Ask for the facts of the map behind a descriptor; SyscallError (EINVAL) when it is no map."""
    buffer = bytearray(MAP_INFO.size)
    answer = call(Command.OBJ_GET_INFO_BY_FD, bpf_fd=fd, info_len=len(buffer), info=buffer)
    return read_info(MAP_INFO.unpack(memoryview(buffer)[: answer.attr["info_len"]]))


def read_info(fields: Mapping[str, Value]) -> MapInfo:
    """Make a MapInfo of the fields of `bpf_map_info`."""
    numbers = {name: value for name, value in fields.items() if isinstance(value, int)}
    name = fields.get("name", b"")
    return MapInfo(
        type=MapType(numbers["type"]),
        id=numbers["id"],
        key_size=numbers["key_size"],
        value_size=numbers["value_size"],
        max_entries=numbers["max_entries"],
        flags=MapFlag(numbers["map_flags"]),
        name=name.rstrip(b"\0").decode() if isinstance(name, bytes) else "",
        ifindex=numbers.get("ifindex", 0),
        btf_id=numbers.get("btf_id", 0),
        btf_key_type_id=numbers.get("btf_key_type_id", 0),
        btf_value_type_id=numbers.get("btf_value_type_id", 0),
        map_extra=numbers.get("map_extra", 0),
    )
