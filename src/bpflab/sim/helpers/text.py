"""Text: printed to the trace pipe, formatted, compared, read as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.events import Printk
from bpflab.sim.numerals import read_number
from bpflab.sim.printf import check_words, format_text, words
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.test_run import Environment

BASES: Final = frozenset({0, 8, 10, 16})
SIGNED_MAX: Final = (1 << 63) - 1
WORD: Final = (1 << 64) - 1
LINE: Final = 1024
"""The trace pipe's buffer for one line (kernel/trace/bpf_trace.c)."""


def trace_printk(
    env: Environment, fmt: bytes, fmt_size: int, arg1: int | None, arg2: int | None, arg3: int | None
) -> int:
    """Print up to three values; the line is among the world's events. Gives the line's length."""
    del fmt_size
    return _print(env, fmt, [arg or 0 for arg in (arg1, arg2, arg3)])


def trace_vprintk(env: Environment, fmt: bytes, fmt_size: int, data: bytes | None, data_len: int) -> int:
    """Print up to twelve values out of an array."""
    del fmt_size
    try:
        check_words(data_len, given=data is not None)
    except Refusal as refusal:
        return -refusal.errno
    return _print(env, fmt, words(data or b"", env.kernel.memory.order))


def snprintf(env: Environment, str: Buffer | None, str_size: int, fmt: bytes, data: bytes | None, data_len: int) -> int:
    """Format into a buffer; gives the length it needed, with the final zero."""
    try:
        check_words(data_len, given=data is not None)
        values = words(data or b"", env.kernel.memory.order)
        text = format_text(env.kernel.memory, fmt + b"\0", values, str_size)
    except Refusal as refusal:
        return -refusal.errno
    if str is not None and str_size:
        str.write(text[: str_size - 1] + b"\0")
    return len(text) + 1


def strncmp(env: Environment, s1: bytes, s1_sz: int, s2: bytes) -> int:
    """Compare up to a length: -1, 0 or 1."""
    del env
    first, second = (s1.partition(b"\0")[0], s2.partition(b"\0")[0])
    left, right = (text[:s1_sz].ljust(s1_sz, b"\0") for text in (first, second))
    return (left > right) - (left < right)


def strtol(env: Environment, buf: bytes, buf_len: int, flags: int, res: Buffer) -> int:
    """Read a signed number; gives the count of characters read, or leaves 0."""
    del buf_len
    res.fill(b"")
    found = _parse(buf, flags)
    if isinstance(found, int):
        return found
    negative, magnitude, consumed = found
    value = -magnitude if negative else magnitude
    if not -SIGNED_MAX - 1 <= value <= SIGNED_MAX:
        return -Errno.ERANGE
    res.write((value & WORD).to_bytes(8, env.kernel.memory.order))
    return consumed


def strtoul(env: Environment, buf: bytes, buf_len: int, flags: int, res: Buffer) -> int:
    """Read an unsigned number; gives the count of characters read, or leaves 0."""
    del buf_len
    res.fill(b"")
    found = _parse(buf, flags)
    if isinstance(found, int):
        return found
    negative, magnitude, consumed = found
    if negative:
        return -Errno.EINVAL
    res.write(magnitude.to_bytes(8, env.kernel.memory.order))
    return consumed


def _print(env: Environment, fmt: bytes, values: list[int]) -> int:
    try:
        text = format_text(env.kernel.memory, fmt, values, LINE)
    except Refusal as refusal:
        return -refusal.errno
    env.kernel.world.record(Printk(env.running.name, text[: LINE - 1].decode("utf-8", "replace")))
    return len(text)


def _parse(text: bytes, flags: int) -> tuple[bool, int, int] | int:
    if flags not in BASES:
        return -Errno.EINVAL
    try:
        return read_number(text, flags)
    except Refusal as refusal:
        return -refusal.errno
