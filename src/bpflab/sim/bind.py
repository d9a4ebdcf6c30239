"""Helpers as the engine calls them, made from helpers as people write them.

A helper is written with the arguments that its row in the helper table names, as values of Python: a map, a
key's bytes, a buffer to write to, a number of the width that C gives it. `bind` puts the conversions
in front, each chosen by the argument's kind, so that a helper is one function and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from bpflab.abi.helpers import MEMORY_KINDS, ArgumentKind, helper, table
from bpflab.sim.engine import HelperFunction
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.helpers import find_helper
from bpflab.sim.maps.base import SimMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.abi.helpers import Argument, Helper
    from bpflab.abi.prog_types import ProgType
    from bpflab.sim.engine import Run
    from bpflab.sim.memory import Memory

    Written = Callable[..., int | None]
    Convert = Callable[[Run, Sequence[int], Sequence[Any]], Any]


class Buffer:
    """Memory of the program that a helper may write: `size` bytes at `address`, all of them checked."""

    __slots__ = ("address", "memory", "size")

    def __init__(self, memory: Memory, address: int, size: int) -> None:
        self.memory = memory
        self.address = address
        self.size = size
        if size:
            memory.span(address, size, write=True)

    def read(self) -> bytes:
        """Copy what stands there."""
        return self.memory.read(self.address, self.size)

    def write(self, data: bytes, offset: int = 0) -> None:
        """Copy bytes in, from `offset` on."""
        self.memory.write(self.address + offset, data)

    def fill(self, data: bytes) -> None:
        """Copy bytes to the start, and make the rest zero."""
        self.write(data[: self.size].ljust(self.size, b"\0"))


WIDTHS: Final = {
    "u8": 8,
    "u16": 16,
    "__be16": 16,
    "u32": 32,
    "__be32": 32,
    "int": -32,
    "s32": -32,
    "s64": -64,
    "long": -64,
}
"""Bits of the C types that arguments have, negative for signed ones; everything else is 64 unsigned."""


class Bindings(Mapping[int, HelperFunction]):
    """The helpers that are simulated, by id, for one type of program; each is bound when it is first asked for.

    `overrides` are functions by helper name that a test puts in the place of ours, looked up at each call.
    """

    def __init__(self, prog_type: ProgType, overrides: dict[str, Written]) -> None:
        self._type = prog_type
        self._overrides = overrides
        self._bound: dict[int, HelperFunction] = {}

    def __getitem__(self, number: int) -> HelperFunction:
        if number not in self._bound:
            if number not in table():
                raise KeyError(number)
            row = helper(number)
            written = find_helper(row.name) or self._overrides[row.name]
            self._bound[number] = bind(row, self._type, written, self._overrides)
        return self._bound[number]

    def __iter__(self) -> Iterator[int]:
        return (row.id for row in table() if find_helper(row.name) or row.name in self._overrides)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def bind(row: Helper, prog_type: ProgType, written: Written, overrides: dict[str, Written]) -> HelperFunction:
    """Return what the engine calls: registers converted, then the function, or what replaces it, called."""
    arguments = row.arguments_in(prog_type)
    converts = [converter(arguments, index) for index in range(len(arguments))]
    name = row.name

    def call(run: Run, *registers: int) -> int:
        run.env.run = run
        values: list[Any] = []
        for convert in converts:
            values.append(convert(run, registers, values))
        function = overrides.get(name, written) if overrides else written
        return function(run.env, *values) or 0

    return call


def converter(arguments: Sequence[Argument], index: int) -> Convert:
    """Return the conversion of one argument: (run, registers, values of the arguments before it) -> value."""
    argument = arguments[index]
    convert = _plain_converter(arguments, index)
    if not argument.or_null:
        return convert

    def nullable(run: Run, registers: Sequence[int], values: Sequence[Any]) -> Any:  # noqa: ANN401 - whatever the kind is
        return convert(run, registers, values) if registers[index] else None

    return nullable


def _plain_converter(arguments: Sequence[Argument], index: int) -> Convert:
    kind = arguments[index].kind
    if kind in MEMORY_KINDS:
        return _memory(arguments, index)
    if kind in _MAKERS:
        return _MAKERS[kind](index)
    return _number(index, WIDTHS.get(arguments[index].c_type, 64))


_MAKERS: Final[Mapping[ArgumentKind, Callable[[int], Convert]]] = {
    ArgumentKind.CTX: lambda _index: lambda run, _registers, _values: run.env.frame,
    ArgumentKind.MAP_PTR: lambda index: lambda run, registers, _values: map_at(run, registers[index]),
    ArgumentKind.MAP_KEY: lambda index: (
        lambda run, registers, values: run.memory.read(registers[index], _map_of(values).key_size)
    ),
    ArgumentKind.CONST_STR: lambda index: lambda run, registers, _values: text_at(run, registers[index]),
    ArgumentKind.MAP_VALUE: lambda index: (
        lambda run, registers, values: run.memory.read(registers[index], _map_of(values).value_size)
    ),
    ArgumentKind.MAP_VALUE_UNINIT: lambda index: (
        lambda run, registers, values: Buffer(run.memory, registers[index], _map_of(values).value_size)
    ),
}
"""How the kinds that are not plain numbers and not sized memory are converted."""


def _memory(arguments: Sequence[Argument], index: int) -> Convert:
    argument = arguments[index]
    reads = argument.kind is ArgumentKind.MEM_READ
    sized_by = next((at for at, other in enumerate(arguments) if other.sizes == argument.name), None)

    def convert(run: Run, registers: Sequence[int], _values: Sequence[Any]) -> bytes | Buffer:
        size = argument.size if sized_by is None else registers[sized_by] & 0xFFFFFFFF
        if reads:
            return run.memory.read(registers[index], size) if size else b""
        return Buffer(run.memory, registers[index], size)

    return convert


def _number(index: int, width: int) -> Convert:
    if width == 64:
        return lambda _run, registers, _values: registers[index]
    mask, sign = (1 << abs(width)) - 1, 1 << (abs(width) - 1)
    if width > 0:
        return lambda _run, registers, _values: registers[index] & mask
    return lambda _run, registers, _values: ((registers[index] & mask) ^ sign) - sign


def _map_of(values: Sequence[Any]) -> SimMap:
    return next(value for value in values if isinstance(value, SimMap))


def text_at(run: Run, address: int) -> bytes:
    """Return a text that ends with a zero byte, without it."""
    text = bytearray()
    while (byte := run.memory.read(address + len(text), 1)) != b"\0":
        text += byte
    return bytes(text)


def map_at(run: Run, address: int) -> SimMap:
    """Return the map whose object is at an address; a fault for any other address."""
    region = run.memory.find(address)
    if region is None or not isinstance(region.owner, SimMap) or region.address != address:
        raise Fault(FaultKind.HELPER_ARGUMENT, f"{address:#x} is not the address of a map")
    return region.owner
