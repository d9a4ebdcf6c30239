"""Values of a per-CPU map: one for each possible CPU, each at a multiple of 8 bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bpflab.errors import CodecError
from bpflab.maps.codecs.base import BaseCodec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.maps.codecs.base import Readable

T = TypeVar("T")


class PerCpuValues(list[T]):
    """The values of one key, one for each possible CPU, by CPU number; a list.

    `sum()`, `max()`, `min()` and `mean()` are for numbers; for records, take a field first:
    `values.field("packets").sum()`.
    """

    __slots__ = ()

    def sum(self) -> Any:  # noqa: ANN401 - the values' own type
        """Add the values of all CPUs."""
        return sum(self._numbers("sum"))

    def max(self) -> Any:  # noqa: ANN401 - the values' own type
        """Return the largest value of any CPU."""
        return max(self._numbers("max"))

    def min(self) -> Any:  # noqa: ANN401 - the values' own type
        """Return the smallest value of any CPU."""
        return min(self._numbers("min"))

    def mean(self) -> float:
        """Return the mean over all possible CPUs, those that never ran the program included."""
        from statistics import fmean

        return fmean(self._numbers("mean"))

    def field(self, name: str) -> PerCpuValues[Any]:
        """Return one field of each CPU's record."""
        return PerCpuValues(getattr(value, name) for value in self)

    def _numbers(self, what: str) -> list[Any]:
        if self and not isinstance(self[0], int | float):
            raise CodecError(
                f"{what}() is for numbers, and the values are {type(self[0]).__name__}; "
                f"take a field of them first, as in values.field('packets').{what}()."
            )
        return list(self)


@dataclass(frozen=True, slots=True)
class AllCpus(Generic[T]):
    """Asks for one value to be written to every CPU: `counters[0] = AllCpus(7)`."""

    value: T


class PerCpuCodec(BaseCodec[Any]):
    """A list of as many values as there are possible CPUs; takes `AllCpus(value)` too."""

    def __init__(self, element: BaseCodec[Any], cpus: int) -> None:
        self.element = element
        self.cpus = cpus
        self.stride = element.size + -element.size % 8
        self.size = self.stride * cpus
        self.name = f"{cpus} values of {element.name}"
        self.wanted = f"a list of {cpus} values, one for each possible CPU, or AllCpus(value) for the same on all"

    def pack(self, value: Sequence[Any] | AllCpus[Any], /) -> bytes:
        """Return the bytes of every CPU's value."""
        filler = bytes(self.stride - self.element.size)
        return b"".join(self.element.pack(each) + filler for each in self._values(value))

    def unpack(self, data: Readable, /) -> PerCpuValues[Any]:
        """Return the list of values."""
        view = memoryview(self.exact(data))
        if self.stride == self.element.size:
            return PerCpuValues(self.element.unpack_many(view))
        starts = range(0, self.size, self.stride)
        return PerCpuValues(self.element.unpack(view[start : start + self.element.size]) for start in starts)

    def _values(self, value: Any) -> Sequence[Any]:  # noqa: ANN401 - checked here
        if isinstance(value, AllCpus):
            return [value.value] * self.cpus
        if isinstance(value, str | bytes | bytearray | dict) or not hasattr(value, "__len__"):
            raise self.refusal(value)
        if len(value) != self.cpus:
            raise CodecError(f"{len(value)} values are given for {self.cpus} possible CPUs; expected {self.wanted}.")
        values: Sequence[Any] = value
        return values
