"""USER_RINGBUF: user space writes records, programs read them (kernel/bpf/ringbuf.c).

The data is in the shared pages once; a mapping that is longer than that is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.errno import Errno
from bpflab.abi.flags import RINGBUF_HEADER_SIZE
from bpflab.abi.map_types import MapType
from bpflab.abi.rings import RING_ALIGNMENT, RING_LENGTH_MASK, record_size
from bpflab.sim.maps.ringbuf import BUSY, DISCARD, RingMap
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.spec import MapSpec


class UserRingbufMap(RingMap):
    """USER_RINGBUF. `draining` is set while a program reads it: one at a time."""

    def __init__(self, kernel: SimKernel, spec: MapSpec) -> None:
        super().__init__(kernel, spec)
        self.draining = False

    def check_map(self, offset: int, length: int, *, writable: bool) -> None:
        """Refuse (EPERM) to write to the consumer's page."""
        refuse_if(writable and not offset, Errno.EPERM)
        self.check_end(offset, length)

    def peek(self, value: bytes = b"") -> bytes:
        """Return the next record's data.

        Refuses with ENODATA when there is none or it is not finished, EAGAIN when one was given up (it is
        skipped), EINVAL or E2BIG when the producer wrote nonsense.
        """
        del value
        produced, consumed = self.producer[0], self.consumer[0]
        refuse_if(produced % RING_ALIGNMENT)
        refuse_if(consumed >= produced, Errno.ENODATA)
        word = self.headers[(consumed & (self.size - 1)) // 4]
        length = word & RING_LENGTH_MASK
        refuse_if(word & BUSY, Errno.ENODATA)
        refuse_if(record_size(length) > produced - consumed)
        refuse_if(length > self.size, Errno.E2BIG)
        if word & DISCARD:
            self.release(length)
            raise Refusal(Errno.EAGAIN)
        return self._copy((consumed + RINGBUF_HEADER_SIZE) & (self.size - 1), length)

    def release(self, length: int) -> None:
        """Step over a record of so many bytes of data."""
        self.consumer[0] += record_size(length)

    def _copy(self, offset: int, length: int) -> bytes:
        first = bytes(self.data[offset : min(offset + length, self.size)])
        return first + bytes(self.data[: length - len(first)])


TYPES = {MapType.USER_RINGBUF: UserRingbufMap}
