"""The Internet checksum as the kernel computes it (include/net/checksum.h, RFC 1071).

A sum is a ones' complement sum of 32 bits, not folded; a check is the 16 bits that stand in a header. Both
are numbers of the machine's byte order, read from memory as they stand there, so that none of this asks
which order that is. A sum is 0 only if everything summed up was; else zero is written 0xffffffff.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder

SUM_MASK: Final = 0xFFFF_FFFF
CHECK_MASK: Final = 0xFFFF
PREFIXES: Final = {"little": "<", "big": ">"}


def add(first: int, second: int) -> int:
    """Add two sums, the carry around the end."""
    total = (first & SUM_MASK) + (second & SUM_MASK)
    return (total & SUM_MASK) + (total >> 32)


def sub(first: int, second: int) -> int:
    """Take one sum from another."""
    return add(first, ~second)


def negate(total: int) -> int:
    """Give the two's complement, as the kernel's wsum_negate does."""
    return -total & SUM_MASK


def partial(data: bytes | bytearray | memoryview, seed: int, order: ByteOrder) -> int:
    """Add memory to a sum, as if padded with zeros to whole words."""
    padded = bytes(data) + bytes(-len(data) % 4)
    total = (seed & SUM_MASK) + sum(struct.unpack(f"{PREFIXES[order]}{len(padded) // 4}I", padded))
    return (total - 1) % SUM_MASK + 1 if total else 0


def shifted(total: int, offset: int) -> int:
    """Turn the sum of a block into what it adds when the block stands at an offset: an odd one swaps its bytes."""
    return (total >> 8 | total << 24) & SUM_MASK if offset & 1 else total


def fold(total: int) -> int:
    """Give the check of a sum: its two halves added, and complemented."""
    return ~folded(total) & CHECK_MASK


def folded(total: int) -> int:
    """Add the two halves of a sum, the carry around the end."""
    halves = (total >> 16 & CHECK_MASK) + (total & CHECK_MASK)
    return (halves & CHECK_MASK) + (halves >> 16)


def replaced_by(check: int, difference: int) -> int:
    """Give a check after what it covers changed by a sum."""
    return fold(add(difference, ~check & SUM_MASK))


def replaced_word(check: int, old: int, new: int) -> int:
    """Give a check after 32 bits that it covers changed."""
    return fold(add(sub(~check & SUM_MASK, old), new))


def replaced_half(check: int, old: int, new: int) -> int:
    """Give a check after 16 bits that it covers changed."""
    return ~add_half(add_half(~check, ~old), new) & CHECK_MASK


def add_half(first: int, second: int) -> int:
    """Add two numbers of 16 bits, the carry around the end."""
    total = (first & CHECK_MASK) + (second & CHECK_MASK)
    return (total & CHECK_MASK) + (total >> 16)
