"""The walk by next key against a kernel's table that changes under it, and the order of a trie's keys."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab.maps.codecs.choose import make_prefix_codec
from bpflab.maps.walk import ChangedTooOften, in_order, prefix_order, walk_by_next_key
from bpflab.testing.values import values_of


class Table:
    """Keys in a fixed order of places, as in a hash map; a key that is gone is followed by the first one."""

    def __init__(self, keys: list[bytes]) -> None:
        self.keys = sorted(keys)

    def next_key(self, key: bytes | None) -> bytes | None:
        if key is None or key not in self.keys:
            return self.keys[0] if self.keys else None
        later = [other for other in self.keys if other > key]
        return later[0] if later else None

    def exists(self, key: bytes) -> bool:
        return key in self.keys

    def change(self, key: bytes) -> None:
        if key in self.keys:
            self.keys.remove(key)
        else:
            self.keys = sorted([*self.keys, key])


KEYS = st.binary(min_size=1, max_size=1)


@given(st.sets(KEYS), st.lists(st.lists(KEYS, max_size=3), max_size=40))
def test_every_entry_that_stays_is_seen_whatever_comes_and_goes(keys: set[bytes], changes: list[list[bytes]]) -> None:
    table = Table(list(keys))
    seen = set()
    plan = iter(changes)
    for key in walk_by_next_key(table.next_key, table.exists, 256):
        seen.add(key)
        for other in next(plan, []):
            table.change(other)
    changed = set(itertools.chain.from_iterable(changes))
    assert keys - changed <= seen <= keys | changed


@given(st.sets(KEYS))
def test_a_table_that_does_not_change_is_walked_once(keys: set[bytes]) -> None:
    table = Table(list(keys))
    assert list(walk_by_next_key(table.next_key, table.exists, 256)) == sorted(keys)


@given(st.sets(KEYS, min_size=1))
def test_deleting_each_key_as_it_comes_empties_the_table(keys: set[bytes]) -> None:
    table = Table(list(keys))
    for key in walk_by_next_key(table.next_key, table.exists, 256):
        table.change(key)
    assert table.keys == []


@given(st.sets(KEYS), st.integers(2, 5))
def test_a_deletion_under_the_walk_sends_it_back_no_further_than_needed(keys: set[bytes], step: int) -> None:
    table = Table(list(keys))
    seen = []
    for number, key in enumerate(walk_by_next_key(table.next_key, table.exists, 256)):
        seen.append(key)
        if number % step:
            table.change(key)
    assert seen == sorted(keys)


def test_a_table_that_deletes_what_was_seen_and_refills_ends_with_an_error() -> None:
    fresh = (number.to_bytes(4, "big") for number in itertools.count())
    table = Table([next(fresh)])

    def walk() -> None:
        for key in walk_by_next_key(table.next_key, table.exists, 10):
            table.change(key)
            table.change(next(fresh))

    with pytest.raises(ChangedTooOften):
        walk()


@given(st.lists(values_of(make_prefix_codec("ipv4", byteorder="little")), unique=True))
def test_the_order_of_prefixes_puts_what_lies_below_first_and_zero_before_one(networks: list[object]) -> None:
    pack = make_prefix_codec("ipv4", byteorder="little").pack
    order = prefix_order("little")
    places = {network: order(pack(network)) for network in networks}
    for one, other in itertools.permutations(networks, 2):
        if one.subnet_of(other):  # type: ignore[attr-defined]  # they are networks
            assert places[one] < places[other]
        elif not other.subnet_of(one):  # type: ignore[attr-defined]  # as above
            assert (places[one] < places[other]) == (one < other)  # type: ignore[operator]  # as above


@given(st.lists(KEYS))
def test_entries_that_come_again_are_dropped(keys: list[bytes]) -> None:
    seen = [key for key, _ in in_order(((key, b"") for key in keys), lambda key: key.hex())]
    assert seen == sorted(set(seen))
    assert set(seen) == {key for index, key in enumerate(keys) if key > max(keys[:index], default=b"")}
