"""A filled map of some type, and the ways to use it: bpflab, libbpf, raw system calls, bcc, a dict."""

from __future__ import annotations

import ctypes
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import bcc_peer
from c_baseline import build, compiler, libbpf, missing
from map_kinds import KINDS
from measure import Turn

from bpflab.maps.batch_call import CHUNK_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from measure import Work

    from bpflab import Lab
    from bpflab.maps.base import Map

KEYLESS = ("queue", "stack", "bloom_filter")


class Elements(ctypes.Structure):
    """`struct elements` of baseline/libbpf.c."""

    _fields_ = (
        ("fd", ctypes.c_int),
        ("keys", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("key_size", ctypes.c_long),
        ("value_size", ctypes.c_long),
        ("count", ctypes.c_long),
    )


class MapRig:
    """A map of `entries` elements, filled where user space can fill it, and `operations` keys to use one by one."""

    def __init__(self, lab: Lab, stack: ExitStack, name: str, operations: int, entries: int | None = None) -> None:
        kind = KINDS[name]
        self.lab, self.name, self.kind = lab, name, kind
        self.operations = operations
        self.entries = min(entries or operations, kind.most)
        arguments = {**kind.arguments, **({"max_entries": self.entries * kind.spare} if kind.sized else {})}
        self.map: Map[Any, Any] = lab.map(name, **arguments)
        referent = kind.referent(lab, stack) if kind.referent else None
        places = [number % self.entries for number in range(operations)]
        self.keys = [referent if kind.by_object else kind.key(place) for place in places]
        self.values = [referent if referent is not None and not kind.by_object else kind.value(at) for at in places]
        self.dict = dict(zip(self.keys, self.values, strict=True))
        self._fill()

    def _fill(self) -> None:
        if self.name in KEYLESS:
            for value in self.values[: self.entries - 1]:
                self.put(value)
        elif self.kind.written:
            self.map.update(self.dict)

    @property
    def put(self) -> Callable[[Any], object]:
        """Add a value to a map without keys."""
        add: Callable[[Any], object] = self.map.add if self.name == "bloom_filter" else self.map.push
        return add

    def ways(self, operation: str, **own: Work | Turn) -> dict[str, Work | Turn]:
        """Return all ways of an operation: those of bpflab, and the others that this machine has.

        The operation is named as in baseline/libbpf.c.
        """
        if self.lab.backend.name != "kernel":
            return {**own, "dict": self.in_a_dict(operation)}
        return {**own, **self._in_c(operation), **self._in_bcc(operation)}

    def in_a_dict(self, operation: str) -> Work:
        """Return the same loop over a dict of Python, which the simulated kernel is compared with."""
        subject, entries = dict(self.dict), self.dict

        def lookup() -> None:
            for key in self.keys:
                subject.get(key)

        def update() -> None:
            for key in self.keys:
                subject[key] = key  # noqa: PERF403 - one write after another is what is measured

        def delete_and_update() -> None:
            for key in self.keys:
                subject.pop(key, None)
                subject[key] = key

        batches: Mapping[str, Work] = {
            "map_lookup_batch": lambda: dict(subject),
            "map_update_batch": lambda: subject.update(entries),
            "map_walk": lambda: list(subject),
        }
        single = {
            "map_update": update,
            "map_delete_and_update": delete_and_update,
            "map_push_and_pop": delete_and_update,
        }
        return batches.get(operation) or single.get(operation, lookup)

    def elements(self) -> Elements:
        """Pack the keys and values for C."""
        shape = self.map.shape
        keys = b"".join(shape.key.pack(key) for key in self.keys) if shape.key_size else b""
        values = b"".join(shape.value.pack(each) for each in self.values) if self.kind.written else b""
        self._packed = [ctypes.create_string_buffer(each, len(each) + 8) for each in (keys, values)]
        places = [ctypes.addressof(each) for each in self._packed]
        return Elements(self.map.fileno(), *places, shape.key_size, shape.value.size, self.operations)

    def _in_c(self, operation: str) -> dict[str, Work | Turn]:
        ways: dict[str, Work | Turn] = {}
        chunk = [ctypes.c_uint32(CHUNK_ENTRIES)] if operation.endswith("batch") else []
        if not missing():
            function, place = getattr(libbpf(), operation), self.elements()
            ways["libbpf"] = lambda: function(ctypes.byref(place), *chunk)
        if compiler() and self.name == "hash" and operation in SYSCALLS:
            ways["syscall"] = self._by_syscall(operation)
        return ways

    def _by_syscall(self, operation: str) -> Work:
        function, fd, count = getattr(build("maps"), operation), self.map.fileno(), ctypes.c_long(self.operations)
        if not operation.endswith("batch"):
            return lambda: function(fd, count)
        numbers = range(self.operations)
        keys, values = (ctypes.c_uint32 * self.operations)(*numbers), (ctypes.c_uint64 * self.operations)(*numbers)
        return lambda: function(fd, keys, values, count, ctypes.c_long(CHUNK_ENTRIES))

    def _in_bcc(self, operation: str) -> dict[str, Turn]:
        if self.name not in bcc_peer.TABLES or operation not in bcc_peer.OPERATIONS:
            return {}
        child = bcc_peer.child()
        if child is None:
            return {}
        child.open(self.map.fileno(), bcc_peer.TABLES[self.name], self.entries)
        return {"bcc": Turn(run=int, takes=lambda: child.seconds(operation, self.operations))}


SYSCALLS = ("map_lookup", "map_update", "map_delete_and_update", "map_lookup_batch", "map_update_batch")
