"""Each type of map against a plain Python model, by random sequences of operations."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bpflab.abi.flags import MapFlag, UpdateFlag
from bpflab.errors import MapFullError, MapKeyError, NotSupportedError
from bpflab.lab import Lab
from bpflab.maps.codecs.choose import make_prefix_codec
from bpflab.testing.values import values_of

if TYPE_CHECKING:
    from bpflab.maps.base import Map

RUNS = settings(max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
KEYS = st.integers(0, 11)
NUMBERS = st.integers(0, 2**32 - 1)
CAPACITY = 8


class MapMachine(RuleBasedStateMachine):
    """A map in a Lab of its own."""

    arguments: ClassVar[dict[str, Any]]

    def __init__(self, backend: str) -> None:
        super().__init__()
        self.lab = Lab(backend)
        self.map: Map[Any, Any] = self.lab.map(**self.arguments)

    def teardown(self) -> None:
        self.lab.close()


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


class ArrayMachine(MapMachine):
    arguments: ClassVar = {"type": "array", "value": "u32", "max_entries": CAPACITY}

    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.model = [self.value_for(0, 0)] * CAPACITY

    def value_for(self, number: int, step: int = 1) -> Any:  # noqa: ARG002 - what the type holds
        return number

    @rule(index=KEYS, number=NUMBERS, flags=st.sampled_from([UpdateFlag.ANY, UpdateFlag.EXIST]))
    def assign(self, index: int, number: int, flags: int) -> None:
        if index >= CAPACITY:
            with pytest.raises(MapFullError):
                self.map.update(index, self.value_for(number), flags=flags)
            return
        assert self.map.update(index, self.value_for(number), flags=flags) is True
        self.model[index] = self.value_for(number)

    @rule(index=st.integers(0, CAPACITY - 1), number=NUMBERS)
    def insert(self, index: int, number: int) -> None:
        assert self.map.update(index, self.value_for(number), flags=UpdateFlag.NOEXIST) is False

    @rule(content=st.dictionaries(st.integers(0, CAPACITY - 1), NUMBERS))
    def write_many(self, content: dict[int, int]) -> None:
        self.map.update({index: self.value_for(number) for index, number in content.items()})
        for index, number in content.items():
            self.model[index] = self.value_for(number)

    @rule(index=KEYS)
    def look(self, index: int) -> None:
        if index < CAPACITY:
            assert self.map[index] == self.model[index]
            return
        with pytest.raises(MapKeyError):
            self.map[index]

    @invariant()
    def is_the_list(self) -> None:
        assert list(self.map.values()) == self.model
        assert list(self.map) == list(range(CAPACITY))


class PerCpuArrayMachine(ArrayMachine):
    arguments: ClassVar = {"type": "percpu_array", "value": "u32", "max_entries": CAPACITY}

    def value_for(self, number: int, step: int = 1) -> Any:
        return [(number + step * cpu) % 2**32 for cpu in range(self.lab.backend.possible_cpus)]


SMALL_NETWORKS = st.sampled_from(
    ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3", "192.0.2.0/24"]
)
NETWORKS = SMALL_NETWORKS | values_of(make_prefix_codec("ipv4"))
ADDRESSES = st.sampled_from(
    ["10.1.2.3", "10.1.2.4", "10.200.0.1", "10.1.3.3", "192.0.2.9", "8.8.8.8"]
) | st.ip_addresses(v=4)


class LpmTrieMachine(MapMachine):
    """A trie against a list of networks of which the longest that covers an address counts."""

    arguments: ClassVar = {"type": "lpm_trie", "key": "ipv4", "value": "u32", "max_entries": CAPACITY}
    codec = make_prefix_codec("ipv4")

    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.model: dict[Any, int] = {}

    def network(self, given: Any) -> Any:
        return self.codec.unpack(self.codec.pack(given))

    def longest(self, asked: Any) -> int | None:
        covering = [network for network in self.model if asked.subnet_of(network)]
        return self.model[max(covering, key=lambda network: network.prefixlen)] if covering else None

    @rule(given=NETWORKS, number=NUMBERS)
    def assign(self, given: Any, number: int) -> None:
        network = self.network(given)
        if network in self.model or len(self.model) < CAPACITY:
            self.map[given] = number
            self.model[network] = number
            return
        with pytest.raises(MapFullError):
            self.map[given] = number

    @rule(given=NETWORKS)
    def delete(self, given: Any) -> None:
        assert self.map.delete(given) is (self.model.pop(self.network(given), None) is not None)

    @rule(given=ADDRESSES | NETWORKS)
    def look(self, given: Any) -> None:
        assert self.map.lookup(given) == self.longest(self.network(given))

    @invariant()
    def walks_in_order(self) -> None:
        assert dict(self.map.items()) == self.model
        keys = list(self.map)
        assert not any(later.subnet_of(earlier) for index, earlier in enumerate(keys) for later in keys[index + 1 :])


class QueueMachine(MapMachine):
    arguments: ClassVar = {"type": "queue", "value": "u32", "max_entries": 4}
    newest_first = False

    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.model: deque[int] = deque()

    @rule(number=NUMBERS)
    def push(self, number: int) -> None:
        if len(self.model) < 4:
            self.map.push(number)
            self.model.append(number)
            return
        with pytest.raises(MapFullError):
            self.map.push(number)

    @rule(number=NUMBERS)
    def push_over_the_oldest(self, number: int) -> None:
        self.map.push(number, replace_oldest=True)
        self.model.append(number)
        if len(self.model) > 4:
            self.model.popleft()

    @rule()
    def pop(self) -> None:
        expected = None
        if self.model:
            expected = self.model.pop() if self.newest_first else self.model.popleft()
        assert self.map.pop() == expected

    @invariant()
    def shows_what_comes_next(self) -> None:
        expected = (self.model[-1] if self.newest_first else self.model[0]) if self.model else None
        assert self.map.peek() == expected


class StackMachine(QueueMachine):
    arguments: ClassVar = {"type": "stack", "value": "u32", "max_entries": 4}
    newest_first = True


class BloomFilterMachine(MapMachine):
    arguments: ClassVar = {"type": "bloom_filter", "value": "u32", "max_entries": 64}

    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.added: set[int] = set()

    @rule(number=NUMBERS)
    def add(self, number: int) -> None:
        self.map.add(number)
        self.added.add(number)

    @invariant()
    def denies_nothing_that_was_added(self) -> None:
        assert all(number in self.map for number in self.added)

    @precondition(lambda self: not self.added)
    @rule(number=NUMBERS)
    def is_empty_at_first(self, number: int) -> None:
        assert number not in self.map


class SlotMachine(MapMachine):
    """Indices that are empty or hold one of a few things."""

    capacity = 4

    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.things = self.make_things()
        self.model: dict[int, Any] = {}

    def make_things(self) -> list[Any]:
        return [1]

    def seen(self, thing: Any) -> Any:
        return thing

    @rule(index=st.integers(0, 5), which=st.integers(0, 2))
    def assign(self, index: int, which: int) -> None:
        thing = self.things[which % len(self.things)]
        if index >= self.capacity:
            with pytest.raises(MapFullError):
                self.map[index] = thing
            return
        self.map[index] = thing
        self.model[index] = self.seen(thing)

    @rule(index=st.integers(0, 3))
    def delete(self, index: int) -> None:
        if index >= self.capacity:
            with pytest.raises(MapFullError):
                del self.map[index]
            return
        known = self.model.pop(index, None)
        with contextlib.suppress(MapKeyError):  # some types answer that an empty place cannot be emptied
            del self.map[index]
        assert known is None or self.map.lookup(index) is None

    @invariant()
    def holds_what_was_put_in(self) -> None:
        assert dict(self.map.items()) == self.model


class DevMapMachine(SlotMachine):
    arguments: ClassVar = {"type": "devmap", "max_entries": 4}


class DevMapHashMachine(SlotMachine):
    arguments: ClassVar = {"type": "devmap_hash", "max_entries": 6}
    capacity = 6


class CpuMapMachine(SlotMachine):
    arguments: ClassVar = {"type": "cpumap", "max_entries": 1}
    capacity = 1

    def make_things(self) -> list[Any]:
        return [8, 16]


RETURN_TWO = bytes.fromhex("b7000000020000009500000000000000")


class ProgArrayMachine(SlotMachine):
    arguments: ClassVar = {"type": "prog_array", "max_entries": 4}

    def make_things(self) -> list[Any]:
        return [self.lab.program(RETURN_TWO, type="xdp", name=f"p{number}") for number in range(3)]

    def seen(self, thing: Any) -> Any:
        return thing.info.id


class ArrayOfMapsMachine(SlotMachine):
    arguments: ClassVar = {
        "type": "array_of_maps",
        "max_entries": 4,
        "inner": {"type": "array", "value": "u32", "max_entries": 2},
    }

    def make_things(self) -> list[Any]:
        return [self.lab.map("array", value="u32", max_entries=2) for _ in range(3)]


class HashOfMapsMachine(ArrayOfMapsMachine):
    arguments: ClassVar = {**ArrayOfMapsMachine.arguments, "type": "hash_of_maps", "key": "u32", "max_entries": 6}
    capacity = 6


class SkStorageMachine(MapMachine):
    """A value for each of three sockets, two of which are closed in between."""

    arguments: ClassVar = {"type": "sk_storage", "value": "u32"}

    def __init__(self, backend: str) -> None:
        if backend != "kernel":
            raise NotSupportedError("Real sockets have storage in the running kernel only.")
        super().__init__(backend)
        self.sockets = [socket.socket() for _ in range(3)]
        self.model: dict[int, int] = {}

    @rule(which=st.integers(0, 2), number=NUMBERS)
    def assign(self, which: int, number: int) -> None:
        self.map[self.sockets[which]] = number
        self.model[which] = number

    @rule(which=st.integers(0, 2))
    def delete(self, which: int) -> None:
        assert self.map.delete(self.sockets[which]) is (self.model.pop(which, None) is not None)

    @rule(which=st.integers(0, 2))
    def another_socket_has_no_storage(self, which: int) -> None:
        self.sockets[which].close()
        self.sockets[which] = socket.socket()
        self.model.pop(which, None)

    @invariant()
    def each_socket_has_its_own(self) -> None:
        assert [self.map.lookup(one) for one in self.sockets] == [self.model.get(which) for which in range(3)]

    def teardown(self) -> None:
        for one in self.sockets:
            one.close()
        super().teardown()


MACHINES: tuple[type[MapMachine], ...] = (
    HashMachine,
    BareHashMachine,
    PerCpuHashMachine,
    LruHashMachine,
    LruPerCpuHashMachine,
    ArrayMachine,
    PerCpuArrayMachine,
    LpmTrieMachine,
    QueueMachine,
    StackMachine,
    BloomFilterMachine,
    DevMapMachine,
    DevMapHashMachine,
    CpuMapMachine,
    ProgArrayMachine,
    ArrayOfMapsMachine,
    HashOfMapsMachine,
    SkStorageMachine,
)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.__name__.removesuffix("Machine"))
def test_a_map_behaves_as_its_model(bpf_backend: str, machine: type[MapMachine]) -> None:
    try:
        machine(bpf_backend).teardown()
    except NotSupportedError as error:
        pytest.skip(f"{machine.arguments['type']}: {error}")
    factory: Any = lambda: machine(bpf_backend)  # noqa: E731 - hypothesis takes any callable and says a class
    run_state_machine_as_test(factory, settings=RUNS)
