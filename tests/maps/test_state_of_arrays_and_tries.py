"""Arrays against a list, and tries against a list of networks."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from bpflab.abi.flags import UpdateFlag
from bpflab.errors import MapFullError, MapKeyError, NotSupportedError
from bpflab.maps.codecs.choose import make_prefix_codec
from bpflab.testing.machines import MapMachine, check_machine
from bpflab.testing.values import values_of

KEYS = st.integers(0, 11)
NUMBERS = st.integers(0, 2**32 - 1)
CAPACITY = 8


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


@pytest.mark.parametrize(
    "machine",
    [ArrayMachine, PerCpuArrayMachine, LpmTrieMachine],
    ids=lambda machine: machine.__name__.removesuffix("Machine"),
)
def test_an_array_behaves_as_a_list_and_a_trie_as_a_table_of_routes(
    bpf_backend: str, machine: type[MapMachine]
) -> None:
    try:
        check_machine(machine, bpf_backend)
    except NotSupportedError as error:
        pytest.skip(f"{machine.arguments['type']}: {error}")
