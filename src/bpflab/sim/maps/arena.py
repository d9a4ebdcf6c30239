"""ARENA: memory that programs and user space share, and hold pointers into.

Its pages are there from the start, all zero; the kernel makes each when it is first asked for. User
space sees the arena where `map_extra` says, or else where it was first mapped.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from bpflab.abi.errno import Errno
from bpflab.abi.map_types import MapType
from bpflab.sim.maps.base import SimMap
from bpflab.sim.memory import MAX_REGION_SIZE
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.shared import PAGE_SIZE, SharedMemory

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec
    from bpflab.sim.memory import Region
    from bpflab.sim.shared import Mapping

LARGEST: Final = 1 << 32


class ArenaMap(SimMap):
    """ARENA of `max_entries` pages."""

    too_big: ClassVar[frozenset[str]] = frozenset({"max_entries"})

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self.size = spec.max_entries * PAGE_SIZE
        refuse_if(self.size >= MAX_REGION_SIZE, Errno.ENOMEM)
        self._shared = SharedMemory(self.size)
        self._region: Region | None = None
        self.user_start = spec.extra

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do; E2BIG over 4 GiB, ERANGE for a place that crosses a 4 GiB boundary."""
        super().check(spec)
        size = spec.max_entries * PAGE_SIZE
        refuse_if(size > LARGEST, Errno.E2BIG)
        refuse_if(spec.extra >> 32 != (spec.extra + size - 1) >> 32, Errno.ERANGE)

    @property
    def region(self) -> Region:
        """The arena as programs see it; its first byte is what `user_start` is to user space."""
        if self._region is None:
            self._region = self.add_region(self._shared.view)
        return self._region

    def to_kernel(self, address: int) -> int:
        """Turn a user-space pointer into the arena into an address for programs; only its low half counts."""
        return self.region.address + (address - self.user_start & 0xFFFFFFFF)

    def to_user(self, address: int) -> int:
        """Turn a program's address in the arena into what user space sees there; null stays null."""
        return self.user_start + address - self.region.address if address else 0

    def shared(self) -> SharedMemory:
        """Return the pages."""
        return self._shared

    def check_map(self, offset: int, length: int, *, writable: bool) -> None:
        """Refuse a mapping that is not of the whole."""
        del writable
        refuse_if(offset)
        refuse_if(length > LARGEST, Errno.E2BIG)
        refuse_if(length > self.size)

    def mapped(self, mapping: Mapping) -> None:
        """Take the first mapping's address as the arena's, unless `map_extra` gave one."""
        if not self.user_start:
            with memoryview(mapping) as view:
                if not view.readonly:
                    self.user_start = ctypes.addressof(ctypes.c_char.from_buffer(mapping))

    def direct_value(self, offset: int) -> int | None:
        """Return the user-space address of a byte."""
        return self.user_start + offset if offset <= self.size else 0

    def sys_lookup(self, key: bytes, flags: int) -> NoReturn:
        """Refuse: there are no elements."""
        del key, flags
        raise Refusal(Errno.EINVAL)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """Refuse: there are no elements."""
        del key, value, flags
        return -Errno.EOPNOTSUPP

    def delete(self, key: bytes) -> int:
        """Refuse: there are no elements."""
        del key
        return -Errno.EOPNOTSUPP

    def next_key(self, key: bytes | None) -> NoReturn:
        """Refuse: there are no elements."""
        del key
        raise Refusal(Errno.EOPNOTSUPP)

    def free(self) -> None:
        """Give up the pages."""
        if self._region is not None:
            self.kernel.memory.retire(self._region)
        self._shared.close()
        super().free()


TYPES = {MapType.ARENA: ArenaMap}
