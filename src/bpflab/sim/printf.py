"""The kernel's format strings, as far as programs may use them (kernel/bpf/helpers.c, bpf_bprintf_prepare)."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.fault import Fault
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpflab.sim.memory import Memory

_SPEC: Final = re.compile(
    rb"%(?P<flags>[0+\- ]*)(?P<width>[1-9]\d*)?"
    rb"(?P<kind>p[ku]s|p[iI][46]|p[KxsSB]|p|s|c|(?P<long>l{0,2})(?P<number>[iduxX]))"
)
_ALONE: Final = frozenset({"p", "s", "pks", "pus"})
"""These end at white space, punctuation or the end of the text."""
_STRINGS: Final = frozenset({"s", "pks", "pus"})
_SYMBOLS: Final = frozenset({"ps", "pS", "pB"})
_COMPUTED: Final = ("pB", "pi", "pI", "pk", "pu")
"""These are formatted beforehand, without their width, and left out where the buffer is full."""
_BREAKS: Final = frozenset(b"\t\n\v\f\r !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + bytes(range(0xA0, 0xC0)) + b"\xd7\xf7\0")
"""What isspace() and ispunct() of the kernel take (lib/ctype.c)."""
WORD: Final = (1 << 64) - 1
ARGUMENT_BYTES: Final = 512
"""Room for a call's arguments in binary form, the copies of strings among them (MAX_BPRINTF_BIN_ARGS)."""
POINTER_DIGITS: Final = 16


def specs(text: bytes, count: int) -> Iterator[bytes | re.Match[bytes]]:
    """Split a format into plain bytes and conversions; `Refusal` (EINVAL) where a program may not use it.

    `count` is how many values there are. Conversions that want more are refused, values left over are not.
    """
    at = 0
    while at < len(text):
        byte = text[at]
        refuse_if(byte < 128 and not (32 <= byte < 127 or 9 <= byte <= 13))
        if byte != ord("%") or text.startswith(b"%%", at):
            yield text[at : at + 1]
            at += 1 + (byte == ord("%"))
            continue
        found = _SPEC.match(text, at)
        if found is not None and found["kind"].decode() in _ALONE and not _ends(text, found.end()):
            found = None
        if not count or found is None:
            raise Refusal(Errno.EINVAL)
        count -= 1
        yield found
        at = found.end()


def check_format(text: bytes, count: int) -> None:
    """Refuse (EINVAL) a format that `count` values cannot be formatted by."""
    for _ in specs(text, count):
        pass


def format_text(memory: Memory, text: bytes, values: Sequence[int], room: int) -> bytes:
    """Format values by a text that ends at its first zero byte; `Refusal` (EINVAL) where the kernel refuses.

    `room` is the size of the buffer that it is meant for: addresses that would begin past its end are left out.
    """
    content, zero, _ = text.partition(b"\0")
    refuse_if(not zero)
    parts, left, strings = bytearray(), list(values), ARGUMENT_BYTES
    for part in list(specs(content, len(values))):
        if isinstance(part, bytes):
            parts += part
            continue
        kind = part["kind"].decode()
        value = left.pop(0) & WORD
        if kind in _STRINGS:
            string = _string(memory, value, strings)
            strings -= len(string) + 1
            made = _padded(string, part) if kind == "s" else string
        else:
            made = _value(memory, part, kind, value)
        parts += b"" if kind.startswith(_COMPUTED) and len(parts) >= room else made
    return bytes(parts)


def _ends(text: bytes, at: int) -> bool:
    return at == len(text) or text[at] in _BREAKS


def _value(memory: Memory, found: re.Match[bytes], kind: str, value: int) -> bytes:
    if found["number"]:
        return _padded(_number(found, value), found)
    if kind == "c":
        return _padded(bytes([value & 0xFF]), found)
    if kind[:2] in {"pi", "pI"}:
        return _address(memory, kind, value)
    if kind == "pB":
        return b"%#x" % value
    if kind in _SYMBOLS:
        return _padded(b"%#x" % value, found)
    return _padded(b"%x" % value, found) if found["width"] else b"%0*x" % (POINTER_DIGITS, value)


def _string(memory: Memory, address: int, room: int) -> bytes:
    text = bytearray()
    try:
        while len(text) < room - 1 and (byte := memory.read(address + len(text), 1)) != b"\0":
            text += byte
    except Fault:
        return b""
    return bytes(text)


def _address(memory: Memory, kind: str, address: int) -> bytes:
    size = 4 if kind.endswith("4") else 16
    try:
        raw = memory.read(address, size)
    except Fault:
        raw = bytes(size)
    return _ip_text(kind, raw).encode("ascii")


def _number(found: re.Match[bytes], value: int) -> bytes:
    number, bits = found["number"], 64 if found["long"] else 32
    value &= (1 << bits) - 1
    if number in b"id" and value >> (bits - 1):
        value -= 1 << bits
    digits = {b"x": b"%x", b"X": b"%X"}.get(number, b"%d") % value
    if number in b"id" and value >= 0:
        digits = (b"+" if b"+" in found["flags"] else b" " if b" " in found["flags"] else b"") + digits
    return digits


def _padded(text: bytes, found: re.Match[bytes]) -> bytes:
    width = int(found["width"] or 0)
    if b"-" in found["flags"]:
        return text.ljust(width)
    if b"0" in found["flags"] and (found["number"] or found["kind"] in {b"p", b"px", b"pK"}):
        sign = text[:1] if text[:1] in b"+- " else b""
        return sign + text[len(sign) :].rjust(width - len(sign), b"0")
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
