"""Ring buffers as maps; `bpflab.events` has their consumers and producers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.maps.handle import MapHandle

if TYPE_CHECKING:
    from bpflab.events.ringbuf import RingBufferConsumer
    from bpflab.events.user_ringbuf import UserRingProducer


class RingBuf(MapHandle[None, None]):
    """RINGBUF: records that programs reserve and submit; `max_entries` is its size in bytes."""

    def consumer(self, **options: Any) -> RingBufferConsumer:  # noqa: ANN401 - the consumer's own options
        """Read the records; see `bpflab.events.ringbuf.RingBufferConsumer` for the options."""
        from bpflab.events.ringbuf import RingBufferConsumer

        return RingBufferConsumer(self, **options)


class UserRingBuf(MapHandle[None, None]):
    """USER_RINGBUF: records that this process submits and programs drain; `max_entries` is its size in bytes."""

    def producer(self) -> UserRingProducer:
        """Write records; see `bpflab.events.user_ringbuf.UserRingProducer`."""
        from bpflab.events.user_ringbuf import UserRingProducer

        return UserRingProducer(self)
