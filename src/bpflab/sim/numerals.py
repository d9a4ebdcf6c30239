"""Numbers out of text, as the kernel's kstrtox reads them for programs (lib/kstrtox.c, kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import Final

from bpflab.abi.errno import Errno
from bpflab.sim.refusal import refuse_if

LONGEST: Final = 63
SPACE: Final = b" \t\n\v\f\r\xa0"
WORD: Final = (1 << 64) - 1


def read_number(text: bytes, base: int) -> tuple[bool, int, int]:
    """Read white space, a minus sign and digits: whether negative, the magnitude, and how many bytes that were.

    Base 0 goes by the prefix (0x, 0). `Refusal`: EINVAL without a digit, ERANGE for more than 64 bits.
    """
    rest = text.lstrip(SPACE)
    negative = rest[:1] == b"-"
    rest = rest[negative:]
    consumed = len(text) - len(rest)
    refuse_if(not rest)
    rest = rest[:LONGEST].partition(b"\0")[0]
    base, prefix = _radix(rest, base)
    digits = _digits(rest[prefix:], base)
    refuse_if(not digits)
    magnitude = int(digits, base)
    refuse_if(magnitude > WORD, Errno.ERANGE)
    return negative, magnitude, consumed + prefix + len(digits)


def _radix(text: bytes, base: int) -> tuple[int, int]:
    has_prefix = text[:2].lower() == b"0x"
    if base == 0:
        if has_prefix and text[2:3].lower() in [bytes([each]) for each in b"0123456789abcdef"]:
            base = 16
        else:
            base = 8 if text[:1] == b"0" else 10
    return base, 2 if base == 16 and has_prefix else 0


def _digits(text: bytes, base: int) -> bytes:
    allowed = b"0123456789abcdef"[:base]
    end = next((at for at, byte in enumerate(text.lower()) if byte not in allowed), len(text))
    return text[:end]
