"""Events from programs: ring buffer, perf buffer and user ring buffer."""

from bpflab.events.counters import Counters
from bpflab.events.perf import PerfBufferConsumer
from bpflab.events.queue import Policy
from bpflab.events.ringbuf import RingBufferConsumer
from bpflab.events.user_ringbuf import UserRingProducer

__all__ = ["Counters", "PerfBufferConsumer", "Policy", "RingBufferConsumer", "UserRingProducer"]
