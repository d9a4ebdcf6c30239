"""Records in shared memory: found by their headers, copied in one piece, then taken apart in one call.

Records of one length are the common case, and their headers are equal words at equal distances: a strided
view compares a thousand of them in a few microseconds. What was found is written down as a format of `struct`,
which then takes all the records out of the copy at once. Both are what makes Python keep up with a kernel.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 1 << 18
"""Bytes taken at once: small enough for a CPU's cache, and the kernel gets room back while the rest is read."""

SHORTEST_WINDOW = 8
"""Headers compared at once at first; the window then grows with the run, so that short runs stay cheap."""


class Shape(NamedTuple):
    """What a record's header says: its bytes in the buffer, those of its data, and how `struct` reads it.

    `events` is 1, or 0 for a record that is passed over; `format` then yields nothing.
    """

    stride: int
    length: int
    events: int
    format: str


class Found(NamedTuple):
    """Records that a scan found: bytes in the buffer, bytes of data, their numbers, and how `struct` reads them."""

    size: int
    length: int
    events: int
    passed_over: int
    format: str


def scan(words: memoryview, offset: int, stop: int, limit: int, describe: Callable[[int], Shape | None]) -> Found:
    """Find the records whose headers stand at `offset` and after it, before `stop`.

    `words` are the headers' words over the whole buffer; records with equal words are alike. `describe` reads such
    a word, and answers None where the scan shall end; it also ends after `limit` events. The last record's data may
    reach past `stop`.
    """
    formats: list[str] = []
    position = offset
    width = words.itemsize
    length = events = records = 0
    while position < stop and events < limit:
        word = words[position // width]
        shape = describe(word)
        if shape is None:
            break
        stride, data, wanted, code = shape
        count = 1
        following = position + stride
        if following < stop and words[following // width] == word:
            most = min(limit - events, (stop - position + stride - 1) // stride)
            count = run_length(words, position // width, stride // width, most)
            following = position + count * stride
        formats.append(code * count)
        position = following
        length += data * count
        events += wanted * count
        records += count
    return Found(position - offset, length, events, records - events, "".join(formats))


def run_length(words: memoryview, start: int, step: int, most: int) -> int:
    """Count the words at `start`, `start + step`, ... that are equal to the first, up to `most`.

    Each word is loaded once: a producer may change one between two looks.
    """
    first = words[start : start + 1].tobytes()
    count = 1
    while count < most:
        window = min(most - count, max(count, SHORTEST_WINDOW))
        begin = start + count * step
        found = words[begin : begin + (window - 1) * step + 1 : step].tobytes()
        if found != first * window:
            return count + _equal_at_start(found, first)
        count += window
    return count


def _equal_at_start(found: bytes, first: bytes) -> int:
    width = len(first)
    places = range(0, len(found), width)
    return next(count for count, place in enumerate(places) if found[place : place + width] != first)


def copy_out(data: memoryview, offset: int, size: int) -> bytes:
    """Copy `size` bytes from `offset` of a circular buffer, going on at its start when its end is reached."""
    past = offset + size - len(data)
    if past <= 0:
        return bytes(data[offset : offset + size])
    return b"".join((data[offset:], data[:past]))


def split(data: bytes, found: Found) -> list[bytes]:
    """Return the data of each event, from the copy of what was scanned."""
    return list(compiled(found.format).unpack(data))


@lru_cache(maxsize=8)  # full buffers of equal records have the same few formats again and again
def compiled(format: str) -> Struct:  # noqa: A002 - the name that struct gives it
    """Compile the reading of a whole batch; about 20 ns a record."""
    return Struct(format)
