"""Which error a map's user gets for an errno, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno, errno_meaning, errno_name
from bpflab.abi.map_types import MapType
from bpflab.errors import (
    BpfError,
    CallFailure,
    MapBusyError,
    MapError,
    MapFullError,
    MapKeyError,
    MapKeyExistsError,
    MapTypeError,
    NotPermittedError,
    OutOfMemoryError,
    SyscallError,
)
from bpflab.maps.check import flag_names

if TYPE_CHECKING:
    from bpflab.abi.commands import Command
    from bpflab.maps.shape import MapShape

INDEXED: Final = frozenset(
    {
        MapType.ARRAY,
        MapType.PERCPU_ARRAY,
        MapType.PROG_ARRAY,
        MapType.PERF_EVENT_ARRAY,
        MapType.CGROUP_ARRAY,
        MapType.ARRAY_OF_MAPS,
        MapType.DEVMAP,
        MapType.CPUMAP,
        MapType.XSKMAP,
        MapType.SOCKMAP,
        MapType.REUSEPORT_SOCKARRAY,
    }
)
"""Types whose keys are indices, for which E2BIG and ENOENT mean a place past the end."""

SOCKETS: Final = frozenset({MapType.SOCKMAP, MapType.SOCKHASH, MapType.REUSEPORT_SOCKARRAY})

CONDITIONS: Final[dict[int, tuple[type[BpfError], str]]] = {
    Errno.E2BIG: (MapFullError, "The {label} is full: it holds its max_entries, {limit}; key{key} was not put in."),
    Errno.ENOSPC: (MapFullError, "The {label} is full: it holds its max_entries, {limit}; key{key} was not put in."),
    Errno.ENOENT: (MapKeyError, "The {label} has no key{key} among its at most {limit}."),
    Errno.EEXIST: (MapKeyExistsError, "The {label} (max_entries {limit}) has the key{key} already."),
    Errno.EBUSY: (
        MapBusyError,
        "The {label} (max_entries {limit}){at} is in use, frozen or locked by somebody else; try it again.",
    ),
    Errno.ENOMEM: (
        OutOfMemoryError,
        (
            "The kernel had no memory for the {label}{at} (max_entries {limit}); "
            "take fewer entries, or leave out NO_PREALLOC so that the memory is taken at creation."
        ),
    ),
    Errno.ENOTSUPP: (MapTypeError, "The {label} has no {command} on this kernel, or not with these flags."),
    Errno.EOPNOTSUPP: (MapTypeError, "The {label} has no {command} on this kernel, or not with these flags."),
}
"""The error and its text by errno, for every type; an errno that is not here is a SyscallError."""

FORBIDDEN: Final = (
    NotPermittedError,
    (
        "{command} on the {label}{at} is not permitted: the map is frozen, was created or opened with RDONLY or "
        "WRONLY (flags {flags}), or the process lacks CAP_BPF."
    ),
)
INDEX_CONDITIONS: Final[dict[int, tuple[type[BpfError], str]]] = {
    Errno.E2BIG: (
        MapFullError,
        "The {label}: index{key} lies past the end: max_entries is {limit}, so indices go to {last}.",
    ),
    Errno.ENOENT: (MapKeyError, "The {label} has nothing at index{key}; indices go to {last}."),
}
"""What E2BIG and ENOENT mean where keys are indices."""

NO_COOKIE: Final = (
    MapTypeError,
    "The {label} has values of 4 bytes, which hold no cookie to read; create it with value=8.",
)


def map_error(shape: MapShape, command: Command, errno: int, key: object = None) -> BpfError:
    """Build the error of a refused command: its class says the condition, its text the map, key and limit."""
    facts = CallFailure(command.name, errno, errno_name(errno), errno_meaning(errno), {"map": shape.label, "key": key})
    kind, template = _condition(shape, errno, key)
    said = template.format(
        label=shape.label,
        limit=shape.max_entries,
        last=shape.max_entries - 1,
        key="" if key is None else f" {key!r}",
        at="" if key is None else f", key {key!r},",
        command=command.name,
        flags=flag_names(shape.flags),
        meaning=facts.meaning,
    )
    text = f"{said} (bpf({command.name}) answered {facts.name}.)"
    if issubclass(kind, SyscallError):
        return kind(text, facts)
    error = kind(text)
    if isinstance(error, MapError):
        error.failure = facts
    return error


def _condition(shape: MapShape, errno: int, key: object) -> tuple[type[BpfError], str]:
    if errno in {Errno.EPERM, Errno.EACCES}:
        return FORBIDDEN
    if errno == Errno.ENOSPC and shape.type in SOCKETS:
        return NO_COOKIE
    indexed = shape.type in INDEXED
    if errno == Errno.EINVAL and indexed and isinstance(key, int) and key >= shape.max_entries:
        errno = Errno.E2BIG  # some types say EINVAL to the deletion of an index past the end
    table = {**CONDITIONS, **INDEX_CONDITIONS} if indexed else CONDITIONS
    return table.get(errno, (SyscallError, "{command} on the {label}{at} failed: {meaning}."))
