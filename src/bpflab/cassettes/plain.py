"""Values of a cassette as TOML values, and back: bytes as hexadecimal text, descriptions beside them as comments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from bpflab.cassettes.cassette import CassetteError

if TYPE_CHECKING:
    from collections.abc import Iterable

HEX: Final = "hex:"
ROW: Final = 32
"""Bytes in a row of hexadecimal text."""
MISSING: Final = "none"


def scalar(value: object) -> str:
    """Write a field's value: numbers, text, lists of numbers; bytes that are a name as text, others in hexadecimal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, bytes):
        return _quoted(_text_of(value))
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(scalar(each) for each in value) + "]"
    if value is None:
        return _quoted(MISSING)
    raise CassetteError(f"{value!r} cannot be written to a cassette.")


def as_bytes(value: object) -> bytes:
    """Read a field's bytes back from text."""
    if not isinstance(value, str):
        raise CassetteError(f"{value!r} stands where text is expected.")
    return from_hex(value.removeprefix(HEX)) if value.startswith(HEX) else value.encode("ascii")


def rows(data: bytes, notes: Iterable[str] = (), width: int = ROW) -> str:
    """Write a buffer: one line of hexadecimal text, or where it is longer an array of rows with notes beside them."""
    if len(data) <= width:
        note = " ".join(notes)
        return _quoted(data.hex(" ", -4)) + (f"  # {note}" if note else "")
    told = iter(notes)
    lines = []
    for at in range(0, len(data), width):
        note = next(told, "")
        lines.append(f'    "{data[at : at + width].hex(" ", -4)}",' + (f"  # {note}" if note else ""))
    return "[\n" + "\n".join(lines) + "\n]"


def unrowed(value: object) -> bytes:
    """Read a buffer back."""
    if isinstance(value, str):
        return from_hex(value)
    if isinstance(value, list):
        return b"".join(from_hex(str(row)) for row in value)
    raise CassetteError(f"{value!r} stands where hexadecimal text is expected.")


def from_hex(text: str) -> bytes:
    """Read hexadecimal text with blanks anywhere; CassetteError for anything else."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise CassetteError(f"{text[:40]!r} is no hexadecimal text.") from None


def _text_of(value: bytes) -> str:
    text = value.decode("ascii", errors="replace")
    plain = text.isprintable() and text.isascii() and not text.startswith(HEX)
    return text if plain else HEX + value.hex()


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
