"""Maps whose memory a process can share: as a memoryview, and as a numpy array."""

from __future__ import annotations

import contextlib
import mmap
from typing import TYPE_CHECKING, Any, TypeVar

from bpflab.abi.flags import MapFlag
from bpflab.errors import ArgumentError, MapTypeError, NotSupportedError
from bpflab.maps.handle import MapHandle

if TYPE_CHECKING:
    from bpflab.backend.base import MappedMemory

K = TypeVar("K")
V = TypeVar("V")


class SharedMemoryMap(MapHandle[K, V]):
    """A map that can be mapped into memory."""

    _mapped: tuple[MappedMemory, memoryview] | None = None

    def memory(self, *, writable: bool = True) -> memoryview:
        """Return the map's memory, shared with programs: what either side writes, the other sees at once.

        It is mapped once, writable unless asked otherwise the first time, and unmapped when the map is closed or, where
        views are still in use, when the last of them goes. MapTypeError when the map was not created with MMAPABLE.
        """
        if self._mapped is None:
            self._mapped = self._map(writable=writable)
        return self._mapped[1]

    def close(self) -> None:
        """Close the map, and unmap its memory unless somebody still looks at it."""
        super().close()
        if self._mapped is not None:
            memory, view = self._mapped
            self._mapped = None
            with contextlib.suppress(BufferError):
                view.release()
                memory.close()

    def memory_size(self) -> int:
        """Return the bytes of the map's memory."""
        raise NotImplementedError

    def _map(self, *, writable: bool) -> tuple[MappedMemory, memoryview]:
        if MapFlag.MMAPABLE not in self.flags:
            raise MapTypeError(f"The {self.shape.label} cannot be mapped; create it with flags=MapFlag.MMAPABLE.")
        size = self.memory_size()
        whole = size + -size % mmap.PAGESIZE
        try:
            memory = self.lab.backend.mmap(self.fileno(), whole, writable=writable)
        except OSError as error:
            raise ArgumentError(f"The {self.shape.label} could not be mapped: {error.strerror}.") from error
        return memory, memoryview(memory)[:size]


class ArrayMemory(SharedMemoryMap[int, V]):
    """An array's memory: its values, each at a multiple of 8 bytes."""

    @property
    def stride(self) -> int:
        """The bytes from one value to the next in memory: the value's size, rounded up to 8."""
        return self.shape.value_size + -self.shape.value_size % 8

    def memory_size(self) -> int:
        """Return the bytes of all values."""
        return self.stride * self.max_entries

    def numpy(self, dtype: Any = None, *, writable: bool = True) -> Any:  # noqa: ANN401 - numpy is not imported here
        """Return the memory as a numpy array of max_entries elements; `dtype` is by default that of the integer values.

        NotSupportedError when numpy is not installed. ArgumentError when the dtype does not have the value's size.
        """
        try:
            import numpy as np
        except ImportError as error:
            raise NotSupportedError("numpy is not installed; install bpflab[numpy], or use memory().") from error
        kind = np.dtype(self._dtype() if dtype is None else dtype)
        if kind.itemsize != self.shape.value_size:
            size = self.shape.value_size
            raise ArgumentError(
                f"dtype {kind} has {kind.itemsize} bytes; values of the {self.shape.label} have {size}."
            )
        view = self.memory(writable=writable)
        return np.ndarray((self.max_entries,), kind, view, strides=(self.stride,))

    def _dtype(self) -> str:
        codec = self.shape.value
        signed = getattr(codec, "signed", None)
        if signed is None or codec.size not in {1, 2, 4, 8}:
            raise ArgumentError(f"dtype is needed: the values of the {self.shape.label} are {codec.name}.")
        order = "<" if getattr(codec, "byteorder", "little") == "little" else ">"
        return f"{order}{'i' if signed else 'u'}{codec.size}"


class Arena(SharedMemoryMap[None, None]):
    """ARENA: pages that programs and this process share; `max_entries` is how many there can be.

    A page comes into being when a program allocates it or, unless the map has SEGV_ON_FAULT, when it is touched here.
    """

    def memory_size(self) -> int:
        """Return the bytes of all pages."""
        return self.max_entries * mmap.PAGESIZE
