"""The other side of bcc_peer.py: runs in the distribution's Python, which has bcc, and not bpflab."""

from __future__ import annotations

import ctypes
import json
import socket
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

bcc = import_module("bcc.table")
libbcc = import_module("bcc.libbcc")


class Subject:
    """bcc's table of a map of u32 keys and u64 values, or its reader of a ring buffer."""

    def __init__(self, name: str, fd: int, entries: int) -> None:
        if name == "ring":
            self._read_ring(fd)
            return
        kind = getattr(bcc, name)
        self.table: Any = object.__new__(kind)
        self.table.map_fd, self.table.Key, self.table.Leaf = fd, ctypes.c_uint32, ctypes.c_uint64
        self.table.max_entries, self.table.flags, self.table._cbs, self.table._name = entries, 0, {}, "bench"

    def _read_ring(self, fd: int) -> None:
        self.seen = list[bytes]()

        def callback(_context: object, data: int, size: int) -> int:
            self.seen.append(ctypes.string_at(data, size))
            return 0

        self.callback = libbcc._RINGBUF_CB_TYPE(callback)
        self.ring = libbcc.lib.bpf_new_ringbuf(fd, self.callback, None)

    def map_lookup(self, count: int) -> None:
        table = self.table
        for key in range(count):
            table[ctypes.c_uint32(key)].value  # noqa: B018 - the read is what is measured

    def map_update(self, count: int) -> None:
        table = self.table
        for key in range(count):
            table[ctypes.c_uint32(key)] = ctypes.c_uint64(key)

    def map_delete_and_update(self, count: int) -> None:
        table = self.table
        for key in range(count):
            del table[ctypes.c_uint32(key)]
            table[ctypes.c_uint32(key)] = ctypes.c_uint64(key)

    def map_lookup_batch(self, _count: int) -> None:
        dict(self.table.items_lookup_batch())

    def ring_consume(self, _count: int) -> None:
        self.seen.clear()
        libbcc.lib.bpf_consume_ringbuf(self.ring)


def seconds(call: Callable[[int], None], count: int) -> float:
    began = time.thread_time()
    call(count)
    return time.thread_time() - began


def main(channel: socket.socket) -> None:
    subject: Subject | None = None
    channel.send(json.dumps("ready").encode())
    while True:
        data, fds, _, _ = socket.recv_fds(channel, 4096, 1)
        if not data:
            return
        asked = json.loads(data)
        if "open" in asked:
            subject = Subject(asked["open"], fds[0], asked["entries"])
            channel.send(b"0")
        else:
            channel.send(json.dumps(seconds(getattr(subject, asked["run"]), asked["count"])).encode())


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
