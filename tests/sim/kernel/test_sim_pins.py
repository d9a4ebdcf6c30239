"""Pins have the running kernel's paths, names and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bpflab.abi.commands import Command
from bpflab.abi.flags import FileFlag
from bpflab.abi.map_types import MapType

Descriptors = tuple[int, int]
Roots = tuple[str, str]
Make = Callable[..., Descriptors]


def path_of(roots: Roots, name: str) -> tuple[bytes, bytes]:
    return f"{roots[0]}{name}".encode() + b"\0", f"{roots[1]}{name}".encode() + b"\0"


@pytest.mark.parametrize(
    "name",
    [
        "/map",
        "/map/x",
        "",
        "/",
        "/none/x",
        "/.hidden",
        "/with.dot",
        "/" + "n" * 255,
        "/" + "n" * 256,
        "//map",
        "/./map",
    ],
    ids=lambda name: name if len(name) < 20 else f"{len(name)} characters",
)
def test_a_path_can_be_pinned_and_opened_where_the_kernel_allows_it(
    both: Any, make: Make, bpf_fs: Roots, name: str
) -> None:
    table = make(MapType.HASH, 4, 4, 1)
    both(Command.OBJ_PIN, pathname=path_of(bpf_fs, "/map"), bpf_fd=table)
    both(Command.OBJ_PIN, pathname=path_of(bpf_fs, name), bpf_fd=table)
    both.refused(Command.OBJ_GET, pathname=path_of(bpf_fs, name))


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc", "/no/such/place", "/no-such-file", ""])
def test_a_path_outside_of_every_bpf_file_system_is_refused(both: Any, make: Make, path: str) -> None:
    table = make(MapType.HASH, 4, 4, 1)
    both(Command.OBJ_PIN, pathname=path.encode() + b"\0", bpf_fd=table)
    both.refused(Command.OBJ_GET, pathname=path.encode() + b"\0")


@pytest.mark.parametrize("flags", [FileFlag.RDONLY, FileFlag.WRONLY, FileFlag.RDONLY | FileFlag.WRONLY, 1])
def test_a_pinned_map_is_opened_for_what_the_flags_say(both: Any, make: Make, bpf_fs: Roots, flags: int) -> None:
    table = make(MapType.HASH, 4, 4, 1)
    both(Command.OBJ_PIN, pathname=path_of(bpf_fs, "/map"), bpf_fd=table)
    if both.refused(Command.OBJ_GET, pathname=path_of(bpf_fs, "/map"), file_flags=flags):
        return
    opened = both.open(Command.OBJ_GET, pathname=path_of(bpf_fs, "/map"), file_flags=flags)
    both(Command.MAP_UPDATE_ELEM, map_fd=opened, key=b"abcd", value=b"efgh")
    both(Command.MAP_LOOKUP_ELEM, map_fd=opened, key=b"abcd", room={"value": 4})
    both(Command.MAP_LOOKUP_AND_DELETE_ELEM, map_fd=opened, key=b"abcd", room={"value": 4})


@pytest.mark.parametrize("fd", [0, 9999])
def test_only_maps_programs_and_links_can_be_pinned(both: Any, bpf_fs: Roots, fd: int) -> None:
    both(Command.OBJ_PIN, pathname=path_of(bpf_fs, "/x"), bpf_fd=fd)


def test_a_tree_goes_with_its_backend(both: Any, make: Make) -> None:
    _, sim = both.backends
    root, table = sim.mount_bpf_fs(), make(MapType.HASH, 4, 4, 1)
    before = len(sim.kernel.maps)
    both.send(1, Command.OBJ_PIN, {"pathname": f"{root}/x".encode() + b"\0", "bpf_fd": table[1]})
    both.close()
    assert len(sim.kernel.maps) == before
    sim.shutdown()
    assert len(sim.kernel.maps) == before - 1
