"""Strings in memory that need not be safe to read (kernel/bpf/helpers.c): an index, or a negative errno.

ERANGE for what is no address of the kernel, EFAULT where nothing can be read, E2BIG for a string without end, ENOENT
for what is not found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.fault import Fault
from bpflab.sim.region import RegionKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.sim.memory import Memory
    from bpflab.sim.test_run import Environment

LONGEST: Final = 65536
"""The most bytes that are looked at (XATTR_SIZE_MAX)."""
CASE: Final = ord("a") - ord("A")


class Text:
    """The characters from an address on, read one at a time."""

    def __init__(self, memory: Memory, address: int) -> None:
        self.memory = memory
        self.address = address

    def __getitem__(self, index: int) -> int:
        return self.memory.load(self.address + index, 1)

    @property
    def is_of_kernel(self) -> bool:
        """Whether the address is one that the kernel may read."""
        region = self.memory.find(self.address)
        return region is not None and region.kind is not RegionKind.USER


def bpf_strcmp(env: Environment, s1: int, s2: int) -> int:
    """Compare: -1, 0 or 1."""
    return _guarded(env, lambda one, two: _compared(one, two, lambda each: each), s1, s2)


def bpf_strcasecmp(env: Environment, s1: int, s2: int) -> int:
    """Compare without regard to case."""
    return _guarded(env, lambda one, two: _compared(one, two, _lower), s1, s2)


def bpf_strchr(env: Environment, s: int, c: int) -> int:
    """Find the first of a character; the end counts as one."""
    return bpf_strnchr(env, s, LONGEST, c)


def bpf_strnchr(env: Environment, s: int, count: int, c: int) -> int:
    """Find a character among the first `count`."""
    return _guarded(env, lambda text: _index(text, count, c & 0xFF), s)


def bpf_strchrnul(env: Environment, s: int, c: int) -> int:
    """Find a character, or the end."""
    return _guarded(env, lambda text: _first(text, LONGEST, {0, c & 0xFF}), s)


def bpf_strrchr(env: Environment, s: int, c: int) -> int:
    """Find the last of a character, which is an int here: none is below 0 or beyond 255."""
    return _guarded(env, lambda text: _last(text, c), s)


def bpf_strlen(env: Environment, s: int) -> int:
    """Measure a string."""
    return bpf_strnlen(env, s, LONGEST)


def bpf_strnlen(env: Environment, s: int, count: int) -> int:
    """Measure a string of which no more than `count` bytes are looked at."""
    return _guarded(env, lambda text: _first(text, count, {0}), s)


def bpf_strspn(env: Environment, s: int, accept: int) -> int:
    """Count the first characters that are all in a set."""
    return _guarded(env, lambda text, known: _span(text, known, inside=True), s, accept)


def bpf_strcspn(env: Environment, s: int, reject: int) -> int:
    """Count the first characters of which none is in a set."""
    return _guarded(env, lambda text, known: _span(text, known, inside=False), s, reject)


def bpf_strstr(env: Environment, s1: int, s2: int) -> int:
    """Find a string in another."""
    return bpf_strnstr(env, s1, s2, LONGEST)


def bpf_strnstr(env: Environment, s1: int, s2: int, len: int) -> int:
    """Find a string among the first `len` bytes of another."""
    return _guarded(env, lambda text, wanted: _found(text, wanted, len), s1, s2)


def _guarded(env: Environment, work: Callable[..., int], *addresses: int) -> int:
    texts = [Text(env.run.memory, address) for address in addresses]
    if not all(text.is_of_kernel for text in texts):
        return -Errno.ERANGE
    try:
        return work(*texts)
    except Fault:
        return -Errno.EFAULT


def _compared(one: Text, two: Text, change: Callable[[int], int]) -> int:
    for at in range(LONGEST):
        first, second = change(one[at]), change(two[at])
        if first != second:
            return -1 if first < second else 1
        if not first:
            return 0
    return -Errno.E2BIG


def _lower(char: int) -> int:
    # The kernel's ctype is Latin-1: the capitals from 0xC0 on have small letters, but for the sign at 0xD7.
    capital = 0x41 <= char <= 0x5A or (0xC0 <= char <= 0xDE and char != 0xD7)
    return char + CASE if capital else char


def _index(text: Text, count: int, char: int) -> int:
    for at in range(min(count, LONGEST)):
        found = text[at]
        if found == char:
            return at
        if not found:
            return -Errno.ENOENT
    return -Errno.ENOENT if count < LONGEST else -Errno.E2BIG


def _first(text: Text, count: int, wanted: set[int]) -> int:
    for at in range(min(count, LONGEST)):
        if text[at] in wanted:
            return at
    return count if count < LONGEST else -Errno.E2BIG


def _last(text: Text, char: int) -> int:
    last = -Errno.ENOENT
    for at in range(LONGEST):
        found = text[at]
        last = at if found == char else last
        if not found:
            return last
    return -Errno.E2BIG


def _span(text: Text, known: Text, *, inside: bool) -> int:
    for at in range(LONGEST):
        char = text[at]
        if not char:
            return at
        found = _index(known, LONGEST, char)
        if found == -Errno.E2BIG:
            return found
        if (found >= 0) is not inside:
            return at
    return -Errno.E2BIG


def _found(text: Text, wanted: Text, length: int) -> int:
    for start in range(LONGEST):
        at = 0
        while at < LONGEST and start + at <= length:
            second = wanted[at]
            if not second:
                return start
            if start + at == length:
                break
            first = text[start + at]
            if not first:
                return -Errno.ENOENT
            if first != second:
                break
            at += 1
        if at == LONGEST:
            return -Errno.E2BIG
        if start + at == length:
            return -Errno.ENOENT
    return -Errno.E2BIG
