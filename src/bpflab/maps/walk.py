"""Walking over the elements of a map, chunk by chunk, in bounded memory.

What every walk promises, whoever changes the map meanwhile: an entry that stays from start to end is seen at
least once; an entry put in or deleted meanwhile may be seen or not; the walk ends. Which walk a
map takes depends on its type:

- by batch (hash maps): the kernel hands out whole buckets under their lock, and its place is a bucket number,
  which no deletion moves. An entry that stays is seen exactly once.
- by index (arrays): the keys are the numbers below max_entries. Exactly once.
- in order (LPM tries): the kernel's place is the last key, and when that was deleted it starts anew. Keys have a fixed
  order there, so what was seen is skipped. Exactly once.
- by next key (all else, and kernels without batch): the same, but without an order. The walk notices that its last
  key is gone and goes back to the newest key that is still there, or to the start, so an entry may be seen again. When
  it has taken far more steps than there can be entries, it gives up with a MapBusyError rather than go on for ever.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REMEMBERED: Final = 64
"""How many keys back a walk by next key can go before it starts anew."""
STEPS_PER_ENTRY: Final = 8
SPARE_STEPS: Final = 1024


class ChangedTooOften(Exception):  # noqa: N818 - a signal to the map, which makes a MapBusyError of it
    """A walk by next key was sent back too often."""


def walk_by_next_key(
    next_key: Callable[[bytes | None], bytes | None], exists: Callable[[bytes], bool], max_entries: int
) -> Iterator[bytes]:
    """Yield keys as `next_key` gives them, surviving the deletion of the key it stands on.

    `next_key(None)` is the first key, None the end. A kernel answers a key that is gone with the first key again
    (or with the end), so each answer holds only if the key asked about is there afterwards.
    """
    previous: bytes | None = None
    recent: deque[bytes] = deque(maxlen=REMEMBERED)
    for _ in range(max_entries * STEPS_PER_ENTRY + SPARE_STEPS):
        key = next_key(previous)
        if previous is not None and not exists(previous):
            previous = _newest_left(recent, exists)
        elif key is None:
            return
        else:
            recent.append(key)
            previous = key
            yield key
    raise ChangedTooOften


def _newest_left(recent: deque[bytes], exists: Callable[[bytes], bool]) -> bytes | None:
    while recent:
        key = recent.pop()
        if exists(key):
            recent.append(key)
            return key
    return None


def in_order(entries: Iterable[tuple[bytes, bytes]], order: Callable[[bytes], str]) -> Iterator[tuple[bytes, bytes]]:
    """Drop the entries that come again because the kernel started anew; `order` makes keys comparable."""
    last = ""
    for key, value in entries:
        place = order(key)
        if place > last:
            last = place
            yield key, value


def prefix_order(byteorder: str) -> Callable[[bytes], str]:
    """Return the order in which a trie gives its keys: what lies below a prefix comes before it, 0 before 1.

    `trie_get_next_key` in kernel/bpf/lpm_trie.c walks in postorder. Written as text, with an end that sorts
    behind both digits, keys compare in that order.
    """

    def order(key: bytes) -> str:
        length = int.from_bytes(key[:4], "little" if byteorder == "little" else "big")
        bits = bin(int.from_bytes(b"\1" + key[4:], "big"))[3:]
        return bits[:length] + "2"

    return order
