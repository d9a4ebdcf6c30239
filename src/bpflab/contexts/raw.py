"""Contexts without a layout of ours: bytes, and the arguments of traced functions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import SupportsInt

    from bpflab.abi.layout import ByteOrder

WORD = (1 << 64) - 1


class RawContext:
    """A context without a fixed layout, as bytes: arguments of a raw tracepoint, input of a syscall program."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytes(data)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, byteorder: ByteOrder = sys.byteorder) -> RawContext:  # noqa: ARG003 - as Context
        """Keep the bytes as they are."""
        return RawContext(bytes(data))

    def to_bytes(self, byteorder: ByteOrder = sys.byteorder) -> bytes:  # noqa: ARG002 - as Context
        """Return the bytes."""
        return self.data

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_bytes()!r})"


class Arguments(RawContext):
    """Arguments of a traced function: integers, or objects of the simulated world by their address."""

    def __init__(self, values: Sequence[SupportsInt], byteorder: ByteOrder = sys.byteorder) -> None:
        super().__init__(b"".join((int(value) & WORD).to_bytes(8, byteorder) for value in values))
