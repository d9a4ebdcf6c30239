"""A ring buffer, programs that fill it, and the ways to empty it."""

from __future__ import annotations

import ctypes
from contextlib import ExitStack
from typing import TYPE_CHECKING

import bcc_peer
from c_baseline import build, compiler, libbpf, missing
from measure import Turn
from traffic import PACKET

from bpflab.abi.rings import record_size
from bpflab.events import RingBufferConsumer

if TYPE_CHECKING:
    from collections.abc import Callable

    from measure import Work

    from bpflab import Lab

FILL = """
    r2 = map[fd:{source}][0]+0
    r1 = map[fd:{ring}]
    r3 = {length}
    r4 = 0
    call bpf_ringbuf_output
    r0 = 2
    exit
"""
"""Writes one record of a map's bytes."""


class RingRig:
    """A ring buffer of `size` bytes and a program that writes records of `length` bytes to it."""

    def __init__(self, lab: Lab, stack: ExitStack, size: int, length: int, records: int) -> None:
        self.lab, self.stack, self.size, self.length = lab, stack, size, length
        self.ring = lab.map("ringbuf", max_entries=size)
        source = lab.map("array", value=length, max_entries=1)
        source[0] = bytes(range(256))[: length % 256].ljust(length, b"\x5a")
        code = FILL.format(source=source.fileno(), ring=self.ring.fileno(), length=length)
        self.program = lab.program(code, type="xdp")
        self.records = min(records, size // record_size(length))

    def fill(self) -> None:
        """Write the records of a round."""
        self.program.run(PACKET, repeat=self.records)

    def turn(self, empty: Work) -> Turn:
        """Return a way that finds the ring filled each time."""
        return Turn(empty, before=self.fill)

    def ways(self, **own: Work) -> dict[str, Turn]:
        """Return the given ways, and the others that this machine has."""
        turns = {name: self.turn(work) for name, work in own.items()}
        if self.lab.backend.name != "kernel":
            return turns
        if not missing():
            turns["libbpf"] = self.turn(self.by_libbpf())
        if compiler():
            turns["syscall"] = self.turn(self.by_memory())
        child = bcc_peer.child()
        if child is not None:
            child.open(self.ring.fileno(), "ring", 0)
            turns["bcc"] = Turn(int, before=self.fill, takes=lambda: child.seconds("ring_consume", self.records))
        return turns

    def by_libbpf(self) -> Callable[[], memoryview]:
        """Return ring_buffer__consume with a callback that copies each record out."""
        c = libbpf()
        c.ring_open.restype = ctypes.c_void_p
        c.ring_consume.restype = ctypes.c_long
        ring = ctypes.c_void_p(c.ring_open(self.ring.fileno()))
        self.stack.callback(c.ring_close, ring)
        room = ctypes.create_string_buffer(self.size)
        view = memoryview(room)
        return lambda: view[: self.length * c.ring_consume(ring, room)]

    def by_memory(self) -> Callable[[], memoryview]:
        """Return the least that a consumer in C can do: walk the shared memory and copy."""
        c = build("ringbuf")
        c.ring_drain.restype = ctypes.c_long
        if c.ring_open(self.ring.fileno(), ctypes.c_uint64(self.size)):
            raise OSError("the C baseline could not map the ring buffer")
        room = ctypes.create_string_buffer(self.size)
        view, width, most = memoryview(room), ctypes.c_long(self.length), ctypes.c_long(self.size // self.length)
        return lambda: view[: self.length * c.ring_drain(room, width, most)]

    def consumer(self) -> RingBufferConsumer:
        """Open bpflab's consumer."""
        return self.stack.enter_context(RingBufferConsumer(self.ring))
