"""STACK_TRACE: call chains by id."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.base import SimMap
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec

FAST_STACK_CMP: Final = 1 << 9
REUSE_STACKID: Final = 1 << 10
"""Flags of get_stackid (linux/bpf.h): compare by hash alone; replace another trace of the same id."""
ADDRESS: Final = 8
BUILD_ID_ENTRY: Final = 32
"""Bytes of struct bpf_stack_build_id."""


class StackTraceMap(SimMap):
    """STACK_TRACE. Programs put traces in with `keep`, user space reads and removes them by id."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self._buckets = 1 << (spec.max_entries - 1).bit_length()
        self._traces: dict[int, bytes] = {}

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do, and values that do not hold whole entries of build id and offset."""
        super().check(spec)
        refuse_if(spec.flags & MapFlag.STACK_BUILD_ID and spec.value_size % BUILD_ID_ENTRY)

    def keep(self, addresses: list[int], flags: int) -> int:
        """Keep a trace and return its id; EEXIST when another trace has it."""
        kept = addresses[: self.value_size // ADDRESS]
        return self.keep_trace(b"".join(address.to_bytes(ADDRESS, self.byteorder) for address in kept), flags)

    @property
    def entry_size(self) -> int:
        """Bytes of one call: an address, or a build id with an offset."""
        return BUILD_ID_ENTRY if self.flags & MapFlag.STACK_BUILD_ID else ADDRESS

    def keep_trace(self, trace: bytes, flags: int) -> int:
        """Keep whole entries of a trace and return its id."""
        trace = trace[: self.value_size]
        number = zlib.crc32(trace) & (self._buckets - 1)
        old = self._traces.get(number)
        if old is not None and old != trace and not flags & (FAST_STACK_CMP | REUSE_STACKID):
            return -Errno.EEXIST
        self._traces[number] = trace
        return number

    def delete(self, key: bytes) -> int:
        """Remove a trace; ENOENT, E2BIG for an id that cannot be."""
        number = int.from_bytes(key, self.byteorder)
        if number >= self._buckets:
            return -Errno.E2BIG
        return 0 if self._traces.pop(number, None) is not None else -Errno.ENOENT

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Refuse: only programs put traces in."""
        del key, value, flags
        return -Errno.EINVAL

    def sys_lookup(self, key: bytes, flags: int) -> bytes:
        """Return a trace, filled up with zeros; ENOENT."""
        del flags
        trace = self._traces.get(int.from_bytes(key, self.byteorder))
        if trace is None:
            raise Refusal(Errno.ENOENT)
        return trace.ljust(self.value_size, b"\0")

    def sys_lookup_and_delete(self, key: bytes, flags: int) -> bytes:
        """Remove and return a trace; ENOENT."""
        trace = self.sys_lookup(key, flags)
        self.delete(key)
        return trace

    def next_key(self, key: bytes | None) -> bytes:
        """Return the next id that has a trace; ENOENT after the last."""
        given = -1 if key is None else int.from_bytes(key, self.byteorder)
        least = given + 1 if given < self._buckets and (key is None or given in self._traces) else 0
        found = min((number for number in self._traces if number >= least), default=None)
        if found is None:
            raise Refusal(Errno.ENOENT)
        return found.to_bytes(4, self.byteorder)


TYPES = {MapType.STACK_TRACE: StackTraceMap}
