"""A wrong argument of a public call is answered in words, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bpflab import BpfError, Lab
from bpflab.asm import assemble, decode, disassemble
from bpflab.events import PerfBufferConsumer, RingBufferConsumer, UserRingProducer
from bpflab.maps.base import Map

WRONG = {
    "fraction": 3.5,
    "nan": float("nan"),
    "text": "x",
    "text with NUL": "a\0b",
    "bytes": b"1234567",
    "object": object(),
    "large number": 1 << 70,
}

PASS = "r0 = 2\nexit"
Call = Callable[[Lab, "Map[Any, Any]", Any], object]

REFUSED: dict[str, Call] = {
    "max_entries": lambda lab, _, wrong: lab.map("hash", key="u32", value="u32", max_entries=wrong),
    "numa_node": lambda lab, _, wrong: lab.map("hash", key="u32", value="u32", max_entries=1, numa_node=wrong),
    "fd": lambda lab, _, wrong: lab.open_map(fd=wrong),
    "id": lambda lab, _, wrong: lab.open_map(id=wrong),
    "key": lambda _, subject, wrong: subject[wrong],
    "value": lambda _, subject, wrong: subject.update(1, wrong),
    "flags": lambda _, subject, wrong: subject.update(1, 1, flags=wrong),
    "update": lambda _, subject, wrong: subject.update(wrong),
    "update_batch": lambda _, subject, wrong: subject.update_batch([wrong]),
    "lookup_batch": lambda _, subject, wrong: subject.lookup_batch([(wrong,)]),
    "delete_batch": lambda _, subject, wrong: subject.delete_batch([wrong]),
    "load": lambda lab, _, wrong: lab.load(wrong),
    "consumer": lambda _, __, wrong: RingBufferConsumer(wrong),
    "producer": lambda _, __, wrong: UserRingProducer(wrong),
    "assemble": lambda _, __, wrong: assemble(wrong),
    "decode": lambda _, __, wrong: decode(wrong),
    "disassemble": lambda _, __, wrong: disassemble(wrong),
    "repeat": lambda lab, _, wrong: lab.program(PASS, type="xdp").run(bytes(64), repeat=wrong),
    "flags of a run": lambda lab, _, wrong: lab.program(PASS, type="xdp").run(bytes(64), flags=wrong),
    "flags of a program": lambda lab, _, wrong: lab.program(PASS, type="xdp", flags=wrong),
    "type of a program": lambda lab, _, wrong: lab.program(PASS, type=wrong),
}


@pytest.fixture
def counts(bpf: Lab) -> Map[Any, Any]:
    return bpf.map("hash", key="u32", value="u64", max_entries=4, name="counts")


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_answered_in_words(bpf: Lab, counts: Map[Any, Any], name: str, wrong: object) -> None:
    with pytest.raises(BpfError, match=r"\w+ \w+ \w+"):
        REFUSED[name](bpf, counts, wrong)


@pytest.mark.parametrize("name", ["lookup_batch", "delete_batch", "lookup_and_delete_batch"])
def test_keys_that_are_one_number_are_no_keys(counts: Map[Any, Any], name: str) -> None:
    with pytest.raises(BpfError, match=r"keys is 5 of type int; expected an iterable of keys\."):
        getattr(counts, name)(5)


@pytest.mark.parametrize("reader", [RingBufferConsumer, PerfBufferConsumer, UserRingProducer])
def test_events_are_not_read_from_a_map_of_another_type(
    counts: Map[Any, Any], reader: Callable[[Map[Any, Any]], object]
) -> None:
    with pytest.raises(BpfError, match=r"is of type HASH; expected a [A-Z_]+ map"):
        reader(counts)
