"""Arrays of references, maps of maps and storage against a dict of what is in them."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from bpflab.errors import MapFullError, MapKeyError, NotSupportedError
from bpflab.testing.machines import MapMachine, check_machine

NUMBERS = st.integers(0, 2**32 - 1)


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


@pytest.mark.parametrize(
    "machine",
    [
        DevMapMachine,
        DevMapHashMachine,
        CpuMapMachine,
        ProgArrayMachine,
        ArrayOfMapsMachine,
        HashOfMapsMachine,
        SkStorageMachine,
    ],
    ids=lambda machine: machine.__name__.removesuffix("Machine"),
)
def test_places_hold_what_was_put_into_them(bpf_backend: str, machine: type[MapMachine]) -> None:
    try:
        check_machine(machine, bpf_backend)
    except NotSupportedError as error:
        pytest.skip(f"{machine.arguments['type']}: {error}")
