from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.maps.base import Map

WORKERS = 8
ROUNDS = 300


def test_threads_that_share_a_map_never_see_each_others_values(make: Callable[..., Map[Any, Any]]) -> None:
    shared = make("hash", key="u32", value="u64", max_entries=WORKERS * ROUNDS)

    def work(worker: int) -> bool:
        right = True
        for number in range(worker * ROUNDS, (worker + 1) * ROUNDS):
            shared[number] = number * 7
            right &= shared[number] == shared.lookup(number) == number * 7
            right &= shared.update(number, number, flags=2) is True
            right &= shared.lookup_and_delete(number) == number
        return right

    with ThreadPoolExecutor(WORKERS) as pool:
        assert all(pool.map(work, range(WORKERS)))
    assert len(shared) == 0


def test_threads_that_walk_by_next_key_do_not_lead_each_other_astray(make: Callable[..., Map[Any, Any]]) -> None:
    shared = make("array", key="u32", value="u64", max_entries=ROUNDS)

    def walk(_: int) -> bool:
        seen, key = list[int](), shared.get_next_key()
        while key is not None:
            seen.append(key)
            key = shared.get_next_key(key)
        return seen == list(range(ROUNDS))

    with ThreadPoolExecutor(WORKERS) as pool:
        assert all(pool.map(walk, range(WORKERS)))


def test_threads_walk_over_a_map_while_others_write(make: Callable[..., Map[Any, Any]]) -> None:
    shared = make("hash", key="u32", value="u64", max_entries=4096)
    stay = {number: number for number in range(1000)}
    shared.update(stay)

    def write(worker: int) -> bool:
        for number in range(1000 + worker * 100, 1100 + worker * 100):
            shared[number] = number
            shared.delete(number)
        return True

    def walk(_: int) -> bool:
        return all(stay.items() <= dict(shared.items()).items() for _ in range(5))

    with ThreadPoolExecutor(4) as pool:
        assert all([*pool.map(write, range(2)), *pool.map(walk, range(2))])
