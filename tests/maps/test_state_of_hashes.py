"""Hash maps against a dict, by random sequences of operations."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from bpflab.abi.flags import MapFlag, UpdateFlag
from bpflab.errors import MapFullError, NotSupportedError
from bpflab.testing.machines import MapMachine, check_machine

KEYS = st.integers(0, 11)
NUMBERS = st.integers(0, 2**32 - 1)
CAPACITY = 8


class KeyedMachine(MapMachine):
    """A mapping of at most CAPACITY entries that are numbers, lists of numbers or other things by `value_for`."""

    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.model: dict[Any, Any] = {}

    def value_for(self, number: int) -> Any:
        return number

    def fits(self, key: int) -> bool:
        return key in self.model or len(self.model) < CAPACITY

    @rule(key=KEYS, number=NUMBERS)
    def assign(self, key: int, number: int) -> None:
        value = self.value_for(number)
        if self.fits(key):
            self.map[key] = value
            self.model[key] = value
            return
        with pytest.raises(MapFullError):
            self.map[key] = value

    @rule(key=KEYS, number=NUMBERS)
    def insert(self, key: int, number: int) -> None:
        value = self.value_for(number)
        if key not in self.model and not self.fits(key):
            with pytest.raises(MapFullError):
                self.map.update(key, value, flags=UpdateFlag.NOEXIST)
            return
        assert self.map.update(key, value, flags=UpdateFlag.NOEXIST) is (key not in self.model)
        self.model.setdefault(key, value)

    @rule(key=KEYS, number=NUMBERS)
    def replace(self, key: int, number: int) -> None:
        value = self.value_for(number)
        assert self.map.update(key, value, flags=UpdateFlag.EXIST) is (key in self.model)
        if key in self.model:
            self.model[key] = value

    @rule(key=KEYS)
    def delete(self, key: int) -> None:
        assert self.map.delete(key) is (self.model.pop(key, None) is not None)

    @rule(key=KEYS)
    def look(self, key: int) -> None:
        assert self.map.lookup(key) == self.model.get(key)
        assert (key in self.map) is (key in self.model)

    @rule()
    def walk(self) -> None:
        assert dict(self.map.items()) == self.model
        assert len(self.map) == len(self.model)
        assert bool(self.map) is bool(self.model)


class BatchedMachine(KeyedMachine):
    """A mapping that takes batches, and gives what it deletes."""

    @rule(key=KEYS)
    def take(self, key: int) -> None:
        assert self.map.lookup_and_delete(key) == self.model.pop(key, None)

    @rule(content=st.dictionaries(KEYS, NUMBERS, max_size=10))
    def write_many(self, content: dict[int, int]) -> None:
        values = {key: self.value_for(number) for key, number in content.items()}
        new = [key for key in values if key not in self.model]
        if len(self.model) + len(new) <= CAPACITY:
            self.map.update(values)
            self.model |= values
            return
        with pytest.raises(MapFullError) as caught:
            self.map.update(values)
        assert caught.value.batch is not None
        self.model |= {key: values[key] for key in caught.value.batch.done}
        assert [*caught.value.batch.done, *(key for key, _ in caught.value.batch.rest)] == list(values)

    @rule(keys=st.lists(KEYS, unique=True))
    def delete_many(self, keys: list[int]) -> None:
        assert self.map.delete_batch(keys) == sum(self.model.pop(key, None) is not None for key in keys)

    @rule()
    def take_all(self) -> None:
        assert self.map.lookup_and_delete_batch() == self.model
        self.model.clear()

    @rule()
    def clear(self) -> None:
        self.map.clear()
        self.model.clear()


class HashMachine(BatchedMachine):
    arguments: ClassVar = {"type": "hash", "key": "u32", "value": "u32", "max_entries": CAPACITY}


class BareHashMachine(BatchedMachine):
    arguments: ClassVar = {**HashMachine.arguments, "flags": MapFlag.NO_PREALLOC}


class PerCpuHashMachine(BatchedMachine):
    arguments: ClassVar = {"type": "percpu_hash", "key": "be16", "value": "u32", "max_entries": CAPACITY}

    def value_for(self, number: int) -> Any:
        return [(number + cpu) % 2**32 for cpu in range(self.lab.backend.possible_cpus)]


class LruHashMachine(MapMachine):
    """What an LRU map still holds is what was written last; how much it evicts is its own affair."""

    arguments: ClassVar = {"type": "lru_hash", "key": "u32", "value": "u32", "max_entries": 64}

    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.written: dict[int, int] = {}

    @rule(start=st.integers(0, 500), number=NUMBERS, count=st.integers(1, 100))
    def write(self, start: int, number: int, count: int) -> None:
        for key in range(start, start + count):
            self.map[key] = number
            self.written[key] = number
            assert self.map[key] == number

    @rule(key=st.integers(0, 600))
    def delete(self, key: int) -> None:
        self.map.delete(key)
        self.written.pop(key, None)

    @rule(key=st.integers(0, 600), number=NUMBERS)
    def insert(self, key: int, number: int) -> None:
        was_there = key in self.map
        assert self.map.update(key, number, flags=UpdateFlag.NOEXIST) is not was_there
        if not was_there:
            self.written[key] = number

    @invariant()
    def holds_no_more_than_it_may_and_nothing_else(self) -> None:
        content = dict(self.map.items())
        assert len(content) <= 64
        assert content.items() <= self.written.items()


class LruPerCpuHashMachine(PerCpuHashMachine):
    """Of eight keys in a map for many more, none is evicted."""

    arguments: ClassVar = {"type": "lru_percpu_hash", "key": "be16", "value": "u32", "max_entries": 4096}

    def fits(self, key: int) -> bool:  # noqa: ARG002 - all keys do
        return True

    @rule(content=st.dictionaries(KEYS, NUMBERS, max_size=10))
    def write_many(self, content: dict[int, int]) -> None:
        values = {key: self.value_for(number) for key, number in content.items()}
        self.map.update(values)
        self.model |= values


@pytest.mark.parametrize(
    "machine",
    [HashMachine, BareHashMachine, PerCpuHashMachine, LruHashMachine, LruPerCpuHashMachine],
    ids=lambda machine: machine.__name__.removesuffix("Machine"),
)
def test_a_hash_behaves_as_a_dict_of_limited_size(bpf_backend: str, machine: type[MapMachine]) -> None:
    try:
        check_machine(machine, bpf_backend)
    except NotSupportedError as error:
        pytest.skip(f"{machine.arguments['type']}: {error}")
