"""Stack traces as the kernel stores them: addresses, or build id and offset of each frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bpflab.errors import CodecError
from bpflab.maps.codecs.base import BaseCodec

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.maps.codecs.base import Readable

BUILD_ID_SIZE = 20
ADDRESS_SIZE = 8
FRAME_SIZE = 32
VALID = 1
"""`BPF_STACK_BUILD_ID_VALID`: the frame has a build id and an offset; else it has an address."""


class Frame(NamedTuple):
    """A frame of a trace with build ids: `place` is an offset into the file of that build id, or an address without."""

    build_id: bytes
    place: int


class StackCodec(BaseCodec[Any]):
    """A trace of at most `size / 8` addresses, the innermost first; only programs write them."""

    def __init__(self, size: int, byteorder: ByteOrder) -> None:
        self.size = size
        self.name = "stack trace"
        self.byteorder: ByteOrder = byteorder

    def pack(self, value: object, /) -> bytes:
        """Refuse: a stack trace cannot be written by the system call."""
        raise CodecError(f"{value!r} cannot be written: stack traces are written by programs only.")

    def unpack(self, data: Readable, /) -> tuple[Any, ...]:
        """Return the addresses, without the zeros behind the last."""
        view = memoryview(self.exact(data))
        words = [int.from_bytes(view[at : at + 8], self.byteorder) for at in range(0, self.size, 8)]
        while words and words[-1] == 0:
            words.pop()
        return tuple(words)


class BuildIdCodec(StackCodec):
    """A trace of at most `size / 32` frames, `struct bpf_stack_build_id` each."""

    def unpack(self, data: Readable, /) -> tuple[Frame, ...]:
        """Return the frames that were filled in."""
        view = memoryview(self.exact(data))
        frames = (view[at : at + FRAME_SIZE] for at in range(0, self.size, FRAME_SIZE))
        return tuple(self._frame(each) for each in frames if any(each))

    def _frame(self, data: memoryview) -> Frame:
        status = int.from_bytes(data[:4], self.byteorder)
        place = int.from_bytes(data[24:32], self.byteorder)
        return Frame(bytes(data[4 : 4 + BUILD_ID_SIZE]) if status == VALID else b"", place)
