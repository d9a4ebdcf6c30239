"""The iterator over numbers, which keeps its state in its own bytes (kernel/bpf/bpf_iter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.insn import MAX_LOOPS

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

INT: Final = 4
INT_MIN: Final = -(1 << 31)


def bpf_iter_num_new(env: Environment, it: int, start: int, end: int) -> int:
    """Begin at `start`, and stop before `end`."""
    refusal = -Errno.EINVAL if start > end else -Errno.E2BIG if end - start > MAX_LOOPS else 0
    _write(env, it, 0 if refusal else start - 1, 0 if refusal else end)
    return refusal


def bpf_iter_num_next(env: Environment, it: int) -> int:
    """Give the address of the next number, null at the end."""
    current, end = _read(env, it), _read(env, it + INT)
    following = INT_MIN if current == -INT_MIN - 1 else current + 1
    if following >= end:
        _write(env, it, 0, 0)
        return 0
    _write(env, it, following, end)
    return it


def bpf_iter_num_destroy(env: Environment, it: int) -> None:
    """End it."""
    _write(env, it, 0, 0)


def _read(env: Environment, place: int) -> int:
    return int.from_bytes(env.run.memory.read(place, INT), env.run.memory.order, signed=True)


def _write(env: Environment, place: int, current: int, end: int) -> None:
    env.run.memory.store(place, INT, current)
    env.run.memory.store(place + INT, INT, end)
