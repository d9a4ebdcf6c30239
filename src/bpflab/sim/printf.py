"""The kernel's format strings, as far as programs may use them (kernel/bpf/helpers.c, bpf_bprintf_prepare)."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.fault import Fault
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpflab.sim.memory import Memory

_SPEC: Final = re.compile(
    r"%(?P<flags>[0+\- ]*)(?P<width>[1-9]\d*)?"
    r"(?P<kind>p[ku]s|p[iI][46]|p[KxsSB]|p|s|c|(?P<long>l{0,2})(?P<number>[iduxX]))"
)
_ALONE: Final = ("p", "s")
"""These end at white space, punctuation or the end of the text."""
_PUNCTUATION: Final = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
WORD: Final = (1 << 64) - 1
LONGEST_TEXT: Final = 512


class Formatter:
    """Formats values as bstr_printf does; `Refusal` (EINVAL) for a format that programs may not use."""

    def __init__(self, memory: Memory, text: bytes, values: Sequence[int]) -> None:
        self.memory = memory
        self._text = text
        self._left = list(values)

    def format(self) -> str:
        """Return the formatted text."""
        refuse_if(any(not (32 <= byte < 127 or 9 <= byte <= 13) for byte in self._text))
        return "".join(self._parts(self._text.decode("ascii")))

    def _parts(self, text: str) -> Iterator[str]:
        at = 0
        while at < len(text):
            if text[at] != "%":
                yield text[at]
                at += 1
            elif text.startswith("%%", at):
                yield "%"
                at += 2
            else:
                found = self._spec(text, at)
                yield self._value(found)
                at = found.end()

    def _spec(self, text: str, at: int) -> re.Match[str]:
        found = _SPEC.match(text, at)
        refuse_if(not self._left or found is None)
        assert found is not None
        behind = text[found.end() : found.end() + 1]
        text_like = found["kind"] in _ALONE or found["kind"].endswith("s")
        refuse_if(text_like and bool(behind) and not (behind.isspace() or behind in _PUNCTUATION))
        return found

    def _value(self, found: re.Match[str]) -> str:
        value, kind = self._left.pop(0) & WORD, found["kind"]
        if found["number"]:
            return _padded(_number(found, value), found)
        if kind == "c":
            return _padded(chr(value & 0xFF), found)
        if kind == "s" or kind in {"pks", "pus"}:
            return _padded(self._string(value), found)
        if kind[:2] in {"pi", "pI"}:
            return self._address(kind, value)
        return f"{value:016x}"

    def _string(self, address: int) -> str:
        text = bytearray()
        try:
            while len(text) < LONGEST_TEXT - 1 and (byte := self.memory.read(address + len(text), 1)) != b"\0":
                text += byte
        except Fault:
            return ""
        return text.decode("latin-1")

    def _address(self, kind: str, address: int) -> str:
        size = 4 if kind.endswith("4") else 16
        try:
            raw = self.memory.read(address, size)
        except Fault:
            raw = bytes(size)
        return _ip_text(kind, raw)


def format_text(memory: Memory, text: bytes, values: Sequence[int]) -> str:
    """Format values by a text that ends at its first zero byte; `Refusal` (EINVAL) where the kernel refuses."""
    content, zero, _ = text.partition(b"\0")
    refuse_if(not zero)
    return Formatter(memory, content, values).format()


def _number(found: re.Match[str], value: int) -> str:
    bits = 64 if found["long"] else 32
    value &= (1 << bits) - 1
    if found["number"] in "id" and value >> (bits - 1):
        value -= 1 << bits
    digits = {"x": f"{value:x}", "X": f"{value:X}"}.get(found["number"], str(value))
    if found["number"] in "id" and value >= 0:
        digits = ("+" if "+" in found["flags"] else " " if " " in found["flags"] else "") + digits
    return digits


def _padded(text: str, found: re.Match[str]) -> str:
    width = int(found["width"] or 0)
    if "-" in found["flags"]:
        return text.ljust(width)
    if "0" in found["flags"] and found["number"]:
        sign = text[:1] if text[:1] in "+- " else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _ip_text(kind: str, raw: bytes) -> str:
    if len(raw) == 4:
        return ".".join(f"{byte:03d}" if kind[1] == "i" else str(byte) for byte in raw)
    groups = ipaddress.IPv6Address(raw).exploded
    return groups.replace(":", "") if kind[1] == "i" else groups


def words(data: bytes, order: str) -> list[int]:
    """Read an array of 64-bit values."""
    return [
        int.from_bytes(data[at : at + 8], "little" if order == "little" else "big") for at in range(0, len(data), 8)
    ]


def check_words(size: int, *, given: bool) -> None:
    """Refuse an array of arguments that is not whole, too long or missing (EINVAL)."""
    refuse_if(size % 8 or size > 12 * 8 or (size and not given), Errno.EINVAL)
