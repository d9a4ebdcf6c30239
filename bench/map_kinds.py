"""The types of map that have elements, and what to put into each."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bpflab.events.perf_event import PerfSetup
from bpflab.maps import AllCpus

if TYPE_CHECKING:
    from bpflab import Lab
    from bpflab.lab import Closable

AF_XDP: Final = 44
PASS: Final = "r0 = 2\nexit"
INNER: Final[Mapping[str, Any]] = {"type": "array", "value": "u64", "max_entries": 1}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of map: the arguments of `lab.map`, its n-th key and value.

    `referent` opens the kernel object that the map refers to, which is every value, or with `by_object` every key.
    `written` is False where only programs write elements: then lookups are measured, and find nothing. `slow` types
    wait for every CPU at each change, for milliseconds; `once` ones refuse to replace an element. `spare` is how many
    times its elements a map must have room for: an LRU map drops some before it is full, as each CPU keeps free ones.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    key: Callable[[int], Any] = int
    value: Callable[[int], Any] = int
    referent: Callable[[Lab, ExitStack], Any] | None = None
    by_object: bool = False
    sized: bool = True
    written: bool = True
    kernel_only: bool = False
    slow: bool = False
    once: bool = False
    most: int = 1 << 20
    spare: int = 1


def network(number: int) -> str:
    """Return the n-th IPv4 network of 24 bits."""
    return f"{10 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.0/24"


def closed_with(stack: ExitStack, thing: Closable) -> Closable:
    stack.callback(thing.close)
    return thing


def a_program(lab: Lab, stack: ExitStack) -> object:
    return closed_with(stack, lab.program(PASS, type="xdp"))


def a_map(lab: Lab, stack: ExitStack) -> object:
    return closed_with(stack, lab.map(**INNER))


def an_event(lab: Lab, stack: ExitStack) -> int:
    fd = lab.backend.perf_event_open(PerfSetup().attr(lab.backend.byteorder), -1, 0, -1, 0)
    stack.callback(lab.backend.close, fd)
    return fd


def a_connection(_lab: Lab, stack: ExitStack) -> socket.socket:
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = stack.enter_context(socket.create_connection(server.getsockname()))
    stack.enter_context(server.accept()[0])
    return client


def a_group_member(_lab: Lab, stack: ExitStack) -> socket.socket:
    member = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    member.bind(("127.0.0.1", 0))
    return member


def an_xdp_socket(_lab: Lab, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.socket(AF_XDP, socket.SOCK_RAW))


def a_file(_lab: Lab, stack: ExitStack) -> object:
    return stack.enter_context(Path(__file__).open("rb"))


def a_task(_lab: Lab, stack: ExitStack) -> object:
    return stack.enter_context(os.fdopen(os.pidfd_open(os.getpid()), "rb"))


def a_cgroup(_lab: Lab, stack: ExitStack) -> int:
    mounts = [
        line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines() if " cgroup2 " in line
    ]
    if not mounts:
        raise LookupError("needs a cgroup2 file system, and none is mounted")
    directory = os.open(mounts[0], os.O_RDONLY)
    stack.callback(os.close, directory)
    return directory


NUMBERS: Final = {"key": "u32", "value": "u64"}
STORAGE: Final = {"value": "u64"}


def _storage(referent: Callable[[Lab, ExitStack], Any]) -> Kind:
    return Kind(STORAGE, referent=referent, by_object=True, sized=False, kernel_only=True)


KINDS: Final[Mapping[str, Kind]] = {
    "hash": Kind(NUMBERS),
    "lru_hash": Kind(NUMBERS, spare=2),
    "percpu_hash": Kind(NUMBERS, value=AllCpus),
    "lru_percpu_hash": Kind(NUMBERS, value=AllCpus, spare=2),
    "array": Kind(STORAGE),
    "percpu_array": Kind(STORAGE, value=AllCpus),
    "lpm_trie": Kind({"key": "ipv4", "value": "u64"}, key=network),
    "queue": Kind(STORAGE),
    "stack": Kind(STORAGE),
    "bloom_filter": Kind(STORAGE),
    "array_of_maps": Kind({"inner": INNER}, referent=a_map, slow=True, most=64),
    "hash_of_maps": Kind({"key": "u32", "inner": INNER}, referent=a_map, slow=True, most=64),
    "prog_array": Kind(referent=a_program, slow=True, most=64),
    "perf_event_array": Kind(referent=an_event, slow=True, most=1),
    "stack_trace": Kind(written=False),
    "cgroup_array": Kind(referent=a_cgroup, slow=True, most=64, kernel_only=True),
    "devmap": Kind(value=lambda _: 1, slow=True, most=64),
    "devmap_hash": Kind({"key": "u32"}, value=lambda _: 1, slow=True, most=64),
    "cpumap": Kind(value=lambda _: 64, slow=True, most=1),
    "xskmap": Kind(referent=an_xdp_socket, slow=True, most=1, kernel_only=True),
    "sockmap": Kind(referent=a_connection, slow=True, most=1, kernel_only=True),
    "sockhash": Kind({"key": "u32"}, referent=a_connection, slow=True, most=1, kernel_only=True),
    "reuseport_sockarray": Kind(referent=a_group_member, slow=True, once=True, most=1, kernel_only=True),
    "sk_storage": _storage(a_connection),
    "inode_storage": _storage(a_file),
    "task_storage": _storage(a_task),
    "cgrp_storage": _storage(a_cgroup),
    "cgroup_storage": Kind(STORAGE, key=lambda _: (1, 0), written=False, sized=False),
    "percpu_cgroup_storage": Kind(STORAGE, key=lambda _: (1, 0), written=False, sized=False),
}
"""By the name of the type; rings and the arena, which have no elements, are measured elsewhere."""

BATCHED: Final = tuple(name for name in KINDS if name.endswith(("hash", "array", "trie")) and KINDS[name].most > 64)
"""Types whose elements the kernel reads and writes in batches, and that hold plain values."""
