"""Calls of helpers in words: arguments by their kinds, results by theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import errno_name
from bpflab.abi.helpers import MEMORY_KINDS, ArgumentKind, ReturnKind, helper
from bpflab.errors import UnknownHelperError
from bpflab.sim.fault import Fault
from bpflab.sim.maps.base import SimMap
from bpflab.trace.layout import bytes_text
from bpflab.trace.values import Value, number_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.helpers import Argument, Helper
    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.engine import CallRecord
    from bpflab.sim.programs import SimProgram
    from bpflab.trace.origins import Origins
    from bpflab.trace.pointers import Pointers

POINTED: Final = MEMORY_KINDS | {ArgumentKind.MAP_KEY, ArgumentKind.MAP_VALUE}
LAST_ERRNO: Final = 4095
WORD: Final = 1 << 64


def row_of(number: int) -> Helper | None:
    """Return the helper of a number, None for one that is not in the table."""
    try:
        return helper(number)
    except UnknownHelperError:
        return None


def helper_name(number: int) -> str:
    """Return a helper's name as C calls it."""
    row = row_of(number)
    return f"bpf_{row.name}" if row else f"helper {number}"


class CallWords:
    """Writes the calls of one run; arguments have to be written before the call, its result after it."""

    def __init__(self, pointers: Pointers, origins: Origins) -> None:
        self._pointers = pointers
        self._origins = origins

    def arguments(self, program: SimProgram, number: int, registers: list[int]) -> tuple[tuple[str, str], ...]:
        """Write the arguments of a call that is about to be made, by name; maps are called `map`."""
        row = row_of(number)
        if row is None:
            return ()
        given = row.arguments_in(program.type)
        target = self.map_of(row, program, registers)
        texts = (self._argument(given, index, registers, target) for index in range(len(given)))
        names = ("map" if each.kind is ArgumentKind.MAP_PTR else each.name for each in given)
        return tuple(zip(names, texts, strict=True))

    def map_of(self, row: Helper, program: SimProgram, registers: list[int]) -> SimMap | None:
        """Return the map that a call is about."""
        for reg, argument in enumerate(row.arguments_in(program.type), 1):
            if argument.kind is ArgumentKind.MAP_PTR:
                region = self._pointers.region(registers[reg])
                return region.owner if region and isinstance(region.owner, SimMap) else None
        return None

    def key_of(self, row: Helper, program: SimProgram, registers: list[int], target: SimMap) -> bytes | None:
        """Return the key that a call is about."""
        for reg, argument in enumerate(row.arguments_in(program.type), 1):
            if argument.kind is ArgumentKind.MAP_KEY:
                return self._read(registers[reg], target.key_size)
        return None

    def result(self, call: CallRecord) -> str:
        """Write what a call returned."""
        row, number = row_of(call.helper), call.result
        if number is None or (row and row.returns.kind is ReturnKind.VOID):
            return ""
        if row and row.returns.kind is not ReturnKind.INTEGER:
            return self._pointer(number)
        if number >= WORD - LAST_ERRNO and (row is None or not row.returns.c_type.startswith("u")):
            return f"-{errno_name(WORD - number)}"
        return number_text(number)

    def _pointer(self, number: int) -> str:
        if not number:
            return "NULL"
        region, text = self._pointers.region(number), self._pointers.text(number)
        if region is None or not isinstance(region.owner, SimMap) or not region.data:
            return text or number_text(number)
        return f"{text}, which is {self._pointers.maps.value_text(region.owner, bytes(region.data))}"

    def _argument(self, given: tuple[Argument, ...], index: int, registers: list[int], target: SimMap | None) -> str:
        argument, number = given[index], registers[index + 1]
        if number is None:
            return "not set"
        if argument.kind is ArgumentKind.MAP_PTR:
            return target.name if target else number_text(number)
        if argument.kind is ArgumentKind.CTX:
            return "ctx"
        if argument.kind in POINTED and argument.kind is not ArgumentKind.MEM_UNINIT:
            return self._memory(given, index, registers, target)
        value = self._origins.register(index + 1, number)
        return self._pointers.text(number) or named(value)

    def _memory(self, given: tuple[Argument, ...], index: int, registers: list[int], target: SimMap | None) -> str:
        kind, address = given[index].kind, registers[index + 1]
        size = self._size(given, index, registers, target)
        data = self._read(address, size)
        if data is None:
            return self._pointers.text(address) or number_text(address)
        if target and kind is ArgumentKind.MAP_VALUE:
            return self._pointers.maps.value_text(target, data)
        if target and kind is ArgumentKind.MAP_KEY:
            origin = self._origins.stored(address, size, int.from_bytes(data, self._order))
            return self._pointers.maps.key_text(target, data) + _of(origin)
        plain = data.rstrip(b"\n\0")
        return repr(plain.decode()) if len(plain) > 1 and _is_text(plain) else bytes_text(data, self._order)

    @property
    def _order(self) -> ByteOrder:
        return self._pointers.memory.order

    def _size(self, given: tuple[Argument, ...], index: int, registers: list[int], target: SimMap | None) -> int:
        if target and given[index].kind is ArgumentKind.MAP_KEY:
            return target.key_size
        if target and given[index].kind is ArgumentKind.MAP_VALUE:
            return target.value_size
        sizes = (registers[at + 1] for at, each in enumerate(given) if each.sizes == given[index].name)
        return next(sizes, given[index].size) or 0

    def _read(self, address: int, size: int) -> bytes | None:
        try:
            return self._pointers.memory.read(address, size) if size else b""
        except Fault:
            return None


def named(value: Value) -> str:
    """Write a value with its name behind it."""
    return f"{value}{_of(value)}"


def _of(value: Value) -> str:
    if not value.name:
        return ""
    return f" ({value.name}{', its bytes in reverse' if value.bits and value.bits.swapped else ''})"


def packet_copies(row: Helper, registers: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (address, size, packet offset) of what a helper copies out of the packet."""
    if row.name in {"xdp_load_bytes", "skb_load_bytes"}:
        yield registers[3], registers[4] & 0xFFFFFFFF, registers[2] & 0xFFFFFFFF


def _is_text(data: bytes) -> bool:
    return all(0x20 <= byte < 0x7F or byte in b"\t\n" for byte in data)
