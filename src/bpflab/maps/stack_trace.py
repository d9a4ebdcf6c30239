"""Stack traces that programs took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.abi.flags import MapFlag
from bpflab.errors import ArgumentError
from bpflab.maps.codecs.stacks import ADDRESS_SIZE, FRAME_SIZE, BuildIdCodec, StackCodec
from bpflab.maps.deletion import TakeMap
from bpflab.maps.walkable import WalkableMap

if TYPE_CHECKING:
    from bpflab.abi.map_types import MapType
    from bpflab.maps.choice import Surroundings
    from bpflab.maps.codecs.base import BaseCodec

DEPTH = 127
"""The most frames of a trace, unless sysctl kernel.perf_event_max_stack says otherwise."""


class StackTrace(WalkableMap[int, Any], TakeMap[int, Any]):
    """STACK_TRACE: traces by the number that bpf_get_stackid() returned; a tuple of addresses, the innermost first.

    With the flag STACK_BUILD_ID, a tuple of `Frame`. `value=` is the size in bytes, 8 for each address (32 for each
    frame with build id); by default there is room for 127.
    """

    KEY = "u32"

    @classmethod
    def value_codec(cls, kind: MapType, given: object, around: Surroundings, flags: MapFlag) -> BaseCodec[Any]:
        """Make the codec of a trace."""
        with_id = MapFlag.STACK_BUILD_ID in flags
        size = DEPTH * (FRAME_SIZE if with_id else ADDRESS_SIZE) if given is None else given
        if not isinstance(size, int):
            raise ArgumentError(f"value is {given!r}; a {kind.name} map takes the size of a trace in bytes.")
        return (BuildIdCodec if with_id else StackCodec)(size, around.byteorder)

    @classmethod
    def value_hint(cls, size: int, typed: object) -> object:  # noqa: ARG003 - goes by the size
        """Take the value's size."""
        return size
