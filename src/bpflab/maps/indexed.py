"""Arrays of references: each index is empty or holds a program, socket, device, CPU, event or cgroup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bpflab.errors import ArgumentError
from bpflab.maps.codecs.references import ReferenceCodec, TargetCodec
from bpflab.maps.deletion import DeleteMap
from bpflab.maps.elements import UpdateMap
from bpflab.maps.walkable import WalkableMap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.flags import MapFlag
    from bpflab.abi.map_types import MapType
    from bpflab.maps.choice import Surroundings
    from bpflab.maps.codecs.base import BaseCodec


class ReferenceSlots(UpdateMap[int, Any], DeleteMap[int, Any]):
    """Indices that can be set and emptied, and not read back: the kernel does not tell what is in them."""

    KEY: ClassVar[object] = "u32"
    VALUE: ClassVar[int] = 4
    WHAT: ClassVar[str]
    """The word for what an index holds."""

    @classmethod
    def value_codec(cls, kind: MapType, given: object, around: Surroundings, flags: MapFlag) -> BaseCodec[Any]:  # noqa: ARG003 - goes by the type
        """Make the codec of a reference; `value=` can but say its size."""
        return ReferenceCodec(cls.WHAT, around.byteorder, cls.reference_size(kind, given))

    @classmethod
    def reference_size(cls, kind: MapType, given: object) -> int:
        """Return the size of a value in bytes: the one asked for, or the type's own."""
        if given is None:
            return cls.VALUE
        sizes = {"u32": 4, "s32": 4, "u64": 8, 4: 4, 8: 8}
        if given not in sizes:
            raise ArgumentError(
                f"value is {given!r}, and a {kind.name} map holds a {cls.WHAT}; give no value, or its size, 4 or 8."
            )
        return sizes[given]

    @classmethod
    def value_hint(cls, size: int, typed: object) -> object:  # noqa: ARG003 - goes by the size
        """Take the value's size."""
        return size


class IndexedReferences(ReferenceSlots, WalkableMap[int, Any]):
    """Indices that can be set, emptied and read; `m[i]` is the kernel's number of what is there.

    MapKeyError where there is nothing; `len`, iteration and `in` are about the indices that hold something.
    """

    def _single_keys(self) -> Iterator[bytes]:
        return map(self.shape.key.pack, range(self.max_entries))


class ProgArray(IndexedReferences):
    """PROG_ARRAY, for tail calls: `m[i] = program`; `m[i]` is the program's id."""

    WHAT = "program"


class PerfEventArray(ReferenceSlots):
    """PERF_EVENT_ARRAY: a perf event for each CPU; `consumer()` opens them all and reads what programs output."""

    WHAT = "perf event"

    def consumer(self, **options: Any) -> Any:  # noqa: ANN401 - a PerfBufferConsumer and its options
        """Read what programs output; see `bpflab.events.perf.PerfBufferConsumer` for the options."""
        from bpflab.events.perf import PerfBufferConsumer

        return PerfBufferConsumer(self, **options)


class CgroupArray(ReferenceSlots):
    """CGROUP_ARRAY: cgroups that programs ask about; `m[i] = directory` that was opened in a cgroup2 file system."""

    WHAT = "cgroup"


class XskMap(ReferenceSlots):
    """XSKMAP: AF_XDP sockets that XDP programs redirect to."""

    WHAT = "AF_XDP socket"


class ReuseportSockarray(IndexedReferences):
    """REUSEPORT_SOCKARRAY: sockets of a reuseport group; `m[i]` is the socket's cookie."""

    WHAT = "socket"
    VALUE = 8


class DevMap(IndexedReferences):
    """DEVMAP: interfaces that XDP programs redirect to, by their index; with `value=8` a `Target` with a program."""

    WHAT = "index of an interface"

    @classmethod
    def value_codec(cls, kind: MapType, given: object, around: Surroundings, flags: MapFlag) -> BaseCodec[Any]:  # noqa: ARG003 - goes by the type
        """Make the codec of a target, with or without a program."""
        return TargetCodec(cls.WHAT, around.byteorder, cls.reference_size(kind, given))


class CpuMap(DevMap):
    """CPUMAP: CPUs that XDP programs redirect to, each with the length of its queue; the index is the CPU's number."""

    WHAT = "length of a queue"


class DevMapHash(DevMap):
    """DEVMAP_HASH: a DEVMAP whose keys are any numbers."""

    def _single_keys(self) -> Iterator[bytes]:
        return self._next_keys()
