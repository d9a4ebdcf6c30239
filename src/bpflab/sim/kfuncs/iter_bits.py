"""The iterator over the bits that are set in words (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim import iterators
from bpflab.sim.fault import Fault

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

WORD: Final = 8
MAX_WORDS: Final = 511
BIT_PLACE: Final = 12
"""Where in the iterator's bytes the number of the bit lies that `next` gives the address of."""


def bpf_iter_bits_new(env: Environment, it: int, unsafe_ptr: int, nr_words: int) -> int:
    """Begin with the lowest bit of the first word."""
    iterators.begin(env, it, ())
    env.run.memory.store(it + WORD, WORD, 0)
    if not unsafe_ptr or not nr_words:
        return -Errno.EINVAL
    if nr_words > MAX_WORDS:
        return -Errno.E2BIG
    try:
        words = [env.run.memory.load(unsafe_ptr + WORD * index, WORD) for index in range(nr_words)]
    except Fault:
        return -Errno.EFAULT
    iterators.begin(env, it, [64 * at + bit for at, word in enumerate(words) for bit in range(64) if word >> bit & 1])
    return 0


def bpf_iter_bits_next(env: Environment, it: int) -> int:
    """Give the address of the next bit's number, null at the end."""
    found = iterators.advance(env, it)
    if found is None:
        return 0
    env.run.memory.store(it + BIT_PLACE, 4, found)
    return it + BIT_PLACE


def bpf_iter_bits_destroy(env: Environment, it: int) -> None:
    """End it."""
    iterators.end(env, it)
