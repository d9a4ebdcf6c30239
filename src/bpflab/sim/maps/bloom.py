"""BLOOM_FILTER: tells whether a value may have been pushed.

The size of the bit array and the hash are the kernel's (kernel/bpf/bloom_filter.c), so with
ZERO_SEED it also errs on the same values; without, the seed is the simulated kernel's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.sim.maps import rules
from bpflab.sim.maps.base import SimMap
from bpflab.sim.maps.jhash import jhash
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec

DEFAULT_HASHES: Final = 5
LEAST_BITS: Final = 64
MOST_BITS: Final = 1 << 32


class BloomFilterMap(SimMap):
    """BLOOM_FILTER. `map_extra` is the number of hashes, 0 for five."""

    too_big: ClassVar[frozenset[str]] = frozenset({"value_size"})

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self._hashes = spec.extra or DEFAULT_HASHES
        bits = bit_count(spec.max_entries, self._hashes)
        self._mask = bits - 1
        self._bits = bytearray(bits // 8)
        self._seed = 0 if spec.flags & MapFlag.ZERO_SEED else kernel.random.u32()

    @classmethod
    def check(cls, spec: MapSpec) -> None:
        """Refuse what the rules do, and (E2BIG) a value that the kernel could not copy."""
        refuse_if(spec.value_size > rules.KMALLOC_MAX, Errno.E2BIG)
        super().check(spec)
        refuse_if(spec.extra & ~0xF)

    def push(self, value: bytes, flags: int) -> int:
        """Add a value; it cannot be removed again."""
        if flags:
            return -Errno.EINVAL
        for place in self._places(value):
            self._bits[place >> 3] |= 1 << (place & 7)
        return 0

    def peek(self, value: bytes) -> bytes | None:
        """Return the value if it may have been pushed, None if it was not."""
        return value if all(self._bits[place >> 3] & 1 << (place & 7) for place in self._places(value)) else None

    def delete(self, key: bytes) -> int:
        """Refuse: nothing can be removed."""
        del key
        return -Errno.EOPNOTSUPP

    def next_key(self, key: bytes | None) -> NoReturn:
        """Refuse: there are no keys."""
        del key
        raise Refusal(Errno.EOPNOTSUPP)

    def sys_update(self, key: bytes, value: bytes, flags: int) -> int:
        """Add a value."""
        del key
        return self.push(value, flags)

    def _places(self, value: bytes) -> Iterator[int]:
        return (jhash(value, self._seed + index, self.byteorder) & self._mask for index in range(self._hashes))


def bit_count(entries: int, hashes: int) -> int:
    """Return the bits for so many entries: 7/5 of entries times hashes, rounded up to a power of two."""
    wanted = entries * hashes // 5 * 7
    if entries * hashes >= MOST_BITS or wanted > MOST_BITS // 2:
        return MOST_BITS
    return max(LEAST_BITS, 1 << (wanted - 1).bit_length()) if wanted else LEAST_BITS


TYPES = {MapType.BLOOM_FILTER: BloomFilterMap}
