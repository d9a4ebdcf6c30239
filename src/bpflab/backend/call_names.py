"""The calls of the seam by their names, as scripts and faults name them, and errors by theirs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from bpflab.abi.attr import LAYOUTS, LINK_CREATE_LAYOUTS
from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.arguments import near_names
from bpflab.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

BESIDE: Final = {
    "close": ("fd",),
    "dup": ("fd",),
    "mmap": ("fd", "length", "writable", "offset"),
    "poll": ("fds", "timeout"),
    "perf_event_open": ("attr", "pid", "cpu", "group_fd", "flags"),
    "ioctl": ("fd", "request", "argument"),
    "mount_bpf_fs": (),
    "unlink": ("path",),
}
"""The calls beside bpf(2) that can be scripted and can fail, with their arguments."""
NAMES: Final = (*(command.name for command in Command), *BESIDE)
EVERYWHERE: Final = ("map", "program")
"""What every call can be matched on besides its fields: the names of the map and the program that it is about."""
LARGEST_ERRNO: Final = 4095


def wanted_calls(given: object) -> frozenset[str]:
    """Return the calls that a name stands for, such as `MAP_UPDATE_ELEM`, `BPF_MAP_CREATE`, `mmap` or `MAP_*`.

    ArgumentError with the near names when there is none.
    """
    if isinstance(given, Command):
        return frozenset({given.name})
    if not isinstance(given, str):
        raise ArgumentError(f"{given!r} names no call; expected a command such as 'MAP_UPDATE_ELEM', or 'mmap'.")
    plain = given.upper().removeprefix("BPF_")
    plain = Command[plain].name if plain in Command.__members__ else plain
    found = frozenset(name for name in NAMES if fnmatchcase(name.upper(), plain))
    if not found:
        raise ArgumentError(f"There is no call {given!r}{near_names(plain, NAMES)}")
    return found


def errno_number(given: object) -> int:
    """Return the positive number of an error given as `E2BIG`, `-E2BIG`, 7 or -7; ArgumentError with near names."""
    if isinstance(given, str):
        name = given.lstrip("-").upper()
        if name in Errno.__members__:
            return int(Errno[name])
        raise ArgumentError(f"There is no error {given!r}{near_names(name, Errno.__members__)}")
    if isinstance(given, int) and not isinstance(given, bool) and 0 < abs(given) <= LARGEST_ERRNO:
        return abs(int(given))
    raise ArgumentError(f"{given!r} is no error number; expected a name such as 'E2BIG', or 1 to {LARGEST_ERRNO}.")


def check_fields(commands: Iterable[str], given: Iterable[str]) -> None:
    """Raise ArgumentError with the near names when none of the calls has a field of that name."""
    known = {*EVERYWHERE, *(name for command in commands for name in fields_of(command))}
    for name in given:
        if name not in known:
            whose = " or ".join(sorted(commands))
            raise ArgumentError(f"There is no field {name!r} in {whose}{near_names(name, sorted(known))}")


def fields_of(command: str) -> Iterable[str]:
    """Return the names of the fields of a call."""
    if command in BESIDE:
        return BESIDE[command]
    if command == Command.LINK_CREATE.name:
        return [name for layout in LINK_CREATE_LAYOUTS.values() for name in layout.by_name]
    return LAYOUTS[Command[command]].by_name
