"""Objects spoiled at random are read or refused in a sentence, in time and memory bounded by their size.

`BPFLAB_MUTATIONS` says how many are tried; a mutation is named by its number alone, so one that fails is tried again
by `BPFLAB_MUTATION=number`.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from tests.obj.conftest import PROGRAMS

from bpflab.errors import BpfError, ObjectError
from bpflab.obj import compile_c, read_object
from bpflab.obj.annotations import read_annotations
from bpflab.obj.needs import needs

MUTATIONS = int(os.environ.get("BPFLAB_MUTATIONS", "400"))
ONE = os.environ.get("BPFLAB_MUTATION")
BATCHES = 8
"""Tests that share the mutations, so that workers of pytest-xdist do."""
WORDS = [0, 1, 2, 3, 7, 8, 24, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
SECONDS_PER_MEGABYTE = 200
"""Far more than any object takes, far less than a loop that follows a number in the file."""
MEMORY_FACTOR = 400
FIRST_MEMORY = 24 << 20


@pytest.fixture(scope="module")
def valid() -> list[bytes]:
    return [compile_c(path, byteorder="little").read_bytes() for path in sorted(PROGRAMS.glob("*.bpf.c"))]


def spoiled(valid: list[bytes], number: int) -> bytes:
    """Make mutation `number`: an object with one to five wounds."""
    dice = random.Random(number)
    data = bytearray(dice.choice(valid))
    for _ in range(dice.randint(1, 5)):
        WOUNDS[dice.randrange(len(WOUNDS))](data, dice)
    return bytes(data)


def flip(data: bytearray, dice: random.Random) -> None:
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def overwrite(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    data[at : at + 4] = dice.choice(WORDS).to_bytes(4, "little")


def small_word(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data) // 4) * 4
    data[at : at + 4] = dice.randrange(1 << dice.randrange(1, 25)).to_bytes(4, "little")


def header(data: bytearray, dice: random.Random) -> None:
    start = min(int.from_bytes(data[40:48], "little"), len(data) - 8)
    at = dice.randrange(start, len(data) - 4)
    data[at : at + 4] = dice.choice(WORDS).to_bytes(4, "little")


def cut(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(64, len(data))
    del data[at : at + dice.randrange(1, 64)]


def repeat(data: bytearray, dice: random.Random) -> None:
    at, size = dice.randrange(64, len(data)), dice.randrange(1, 256)
    data[at:at] = data[at : at + size]


def move(data: bytearray, dice: random.Random) -> None:
    source, target, size = dice.randrange(64, len(data)), dice.randrange(64, len(data)), dice.randrange(1, 128)
    data[target : target + size] = data[source : source + size]


WOUNDS = [flip, overwrite, small_word, header, header, cut, repeat, move]


def read_whole(data: bytes) -> None:
    """Read what a user would ask an object for: ObjectError is the answer to what is no object."""
    try:
        spec = read_object(data)
    except ObjectError:
        return
    needs(spec)
    with contextlib.suppress(BpfError):
        read_annotations(spec)


def numbers(batch: int) -> Iterator[int]:
    yield from [int(ONE)] if ONE else range(batch, MUTATIONS, BATCHES)


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.timeout(0)
def test_a_spoiled_object_is_read_or_refused_in_bounded_time(valid: list[bytes], batch: int) -> None:
    for number in numbers(batch):
        data = spoiled(valid, number)
        before = time.process_time()
        try:
            read_whole(data)
        except Exception as error:
            raise AssertionError(f"mutation {number} of {len(data)} bytes: {error!r}") from error
        taken = time.process_time() - before
        assert taken < 2 + SECONDS_PER_MEGABYTE * len(data) / 1e6, f"mutation {number} took {taken:.1f} s"


def test_a_spoiled_object_takes_memory_by_its_size(valid: list[bytes]) -> None:
    for number in range(min(MUTATIONS // 10, 2000)):
        data = spoiled(valid, number)
        tracemalloc.start()
        try:
            read_whole(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < FIRST_MEMORY + MEMORY_FACTOR * len(data), f"mutation {number} took {peak} bytes"
