"""Queues, stacks and bloom filters against a deque and a set."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from bpflab.errors import MapFullError, NotSupportedError
from bpflab.testing.machines import MapMachine, check_machine

NUMBERS = st.integers(0, 2**32 - 1)


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


@pytest.mark.parametrize(
    "machine",
    [QueueMachine, StackMachine, BloomFilterMachine],
    ids=lambda machine: machine.__name__.removesuffix("Machine"),
)
def test_a_keyless_map_behaves_as_its_model(bpf_backend: str, machine: type[MapMachine]) -> None:
    try:
        check_machine(machine, bpf_backend)
    except NotSupportedError as error:
        pytest.skip(f"{machine.arguments['type']}: {error}")
