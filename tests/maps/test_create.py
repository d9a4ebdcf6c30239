from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_rules import RULES
from bpflab.abi.map_types import MapType
from bpflab.backend.select import open_backend
from bpflab.backend.wrap import WrappedBackend
from bpflab.errors import ArgumentError, NotPermittedError, NotSupportedError, OutOfMemoryError, SyscallError
from bpflab.lab import Lab
from bpflab.maps.registry import CLASSES, class_of
from bpflab.testing.samples import sample_arguments
from bpflab.testing.strategies import map_arguments

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

    from bpflab.maps.base import Map

    Make = Callable[..., Map[Any, Any]]

TYPES = pytest.mark.parametrize("kind", list(RULES), ids=lambda kind: kind.name.lower())


@TYPES
def test_every_type_can_be_made_and_is_a_class_of_its_own(make: Make, kind: MapType) -> None:
    made = make(**sample_arguments(kind), name="one")
    assert type(made) is class_of(kind)
    assert (made.type, made.name, made.closed) == (kind, "one", False)


def test_no_two_types_share_a_class() -> None:
    assert len(set(CLASSES.values())) == len(CLASSES) == len(RULES)


OPERATIONS = {
    "hash": {
        "lookup",
        "update",
        "delete",
        "lookup_and_delete",
        "items",
        "update_batch",
        "delete_batch",
        "clear",
        "pop",
    },
    "array": {"lookup", "update", "items", "update_batch", "fill", "memory", "numpy"},
    "percpu_array": {"lookup", "update", "items", "update_batch", "fill"},
    "lpm_trie": {"lookup", "update", "delete", "items", "update_batch", "delete_batch", "clear"},
    "queue": {"push", "pop", "peek", "drain", "extend"},
    "bloom_filter": {"add", "update"},
    "prog_array": {"lookup", "update", "delete", "items"},
    "perf_event_array": {"update", "delete", "consumer"},
    "xskmap": {"update", "delete"},
    "sk_storage": {"lookup", "update", "delete"},
    "stack_trace": {"lookup", "delete", "items", "pop"},
    "cgroup_storage": {"lookup", "update", "items"},
    "array_of_maps": {"lookup", "update", "delete", "items", "create"},
    "ringbuf": {"consumer"},
    "user_ringbuf": {"producer"},
    "arena": {"memory"},
}
EVERY = set().union(*OPERATIONS.values()) - {"inner_id"}


@pytest.mark.parametrize(("name", "operations"), OPERATIONS.items(), ids=OPERATIONS)
def test_a_type_has_the_operations_that_make_sense_for_it_and_no_others(name: str, operations: set[str]) -> None:
    family = class_of(MapType[name.upper()])
    extra = (
        {"update_batch"} if name == "array_of_maps" else {"lookup_and_delete", "pop"} if name == "lpm_trie" else set()
    )
    extra |= {"lookup_and_delete"} if name == "stack_trace" else set()
    assert {operation for operation in EVERY if hasattr(family, operation)} == operations | extra


def test_keyless_maps_say_what_they_have_instead_of_keys(make: Make) -> None:
    queue = make("queue", value="u32", max_entries=4, name="jobs")
    attempts: list[Callable[[], object]] = [
        lambda: queue[1],
        lambda: queue.__setitem__(1, 1),
        lambda: queue.__delitem__(1),
        lambda: 1 in queue,
        lambda: list(queue),
    ]
    for attempt in attempts:
        with pytest.raises(
            TypeError, match=r"QUEUE map 'jobs' has no keys to .*It has: drain, extend, peek, pop, push"
        ):
            attempt()


class Counting(WrappedBackend):
    """Counts the maps that are asked for, and answers with an errno if it is given one."""

    def __init__(self, name: str, errno: int = 0) -> None:
        super().__init__(open_backend(name))
        self.asked = 0
        self.wrong = errno

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        return self.answer

    def answer(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        self.asked += command == Command.MAP_CREATE
        return -1 if self.wrong else self.inner.bpf(command, attr, size)

    def errno(self) -> int:
        return self.wrong or self.inner.errno()


HASH: dict[str, Any] = {"type": "hash", "key": "u32", "value": "u32", "max_entries": 8}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({**HASH, "type": "hsh"}, r"'hsh' is no MapType; did you mean HASH"),
        ({**HASH, "type": 99}, r"99 is no MapType"),
        ({**HASH, "key": None}, r"HASH map needs key="),
        ({**HASH, "value": None}, r"HASH map needs value="),
        ({**HASH, "key": "u33"}, r"'u33' is no type of a key or value; expected an integer"),
        ({**HASH, "max_entries": None}, r"HASH map needs max_entries; allowed is 1 to 4294967295"),
        ({**HASH, "max_entries": 0}, r"max_entries of the unnamed HASH map is 0; allowed is 1 to 4294967295"),
        ({**HASH, "max_entries": -1}, r"max_entries of the unnamed HASH map is -1"),
        ({**HASH, "max_entries": 2**32}, r"is 4294967296; allowed"),
        ({**HASH, "max_entries": "many"}, r"max_entries is 'many' of type str; expected an integer"),
        ({**HASH, "name": "much_too_long_a_name"}, r"has 20 characters; a map's name has at most 15"),
        ({**HASH, "name": "a-b"}, r"letters and digits of ASCII, '_' and '.'"),
        ({**HASH, "flags": MapFlag.MMAPABLE}, r"does not take the flags MMAPABLE; allowed are NO_PREALLOC, NUMA_NODE"),
        ({**HASH, "flags": 1 << 30}, r"does not take the flags 0x40000000"),
        ({**HASH, "flags": MapFlag.RDONLY | MapFlag.WRONLY}, r"RDONLY, WRONLY exclude each other"),
        ({**HASH, "flags": "RDONLY"}, r"flags is 'RDONLY'; expected MapFlag"),
        ({**HASH, "map_extra": 3}, r"map_extra of the unnamed HASH map is 3; allowed is 0"),
        ({**HASH, "inner": HASH}, r"HASH maps hold no maps"),
        ({**HASH, "btf": "flow"}, r"btf is 'flow'; expected a bpflab.obj.btf.Btf"),
        ({**HASH, "type": "percpu_hash", "value": 40000}, r"value size in bytes .* is 40000; allowed is 1 to 32768"),
        ({**HASH, "type": "percpu_hash", "numa_node": 0}, r"does not take the flags NUMA_NODE"),
        ({**HASH, "type": "lru_hash", "flags": MapFlag.NO_PREALLOC}, r"does not take the flags NO_PREALLOC"),
        ({**HASH, "type": "array", "key": "u64"}, r"key size in bytes of the unnamed ARRAY map is 8; allowed is 4"),
        ({**HASH, "type": "lpm_trie"}, r"'u32' is no key of an LPM trie; expected 'ipv4', 'ipv6'"),
        ({"type": "queue", "key": "u32", "value": 4, "max_entries": 1}, r"key is 'u32', and QUEUE maps have no keys"),
        ({"type": "bloom_filter", "value": 4, "max_entries": 1, "map_extra": 16}, r"map_extra .* allowed is 0 to 15"),
        ({"type": "ringbuf", "max_entries": 5000}, r"allowed is a power of two, .*The next size that fits is 8192"),
        ({"type": "ringbuf", "max_entries": 4096, "value": "u32"}, r"RINGBUF maps have no values"),
        ({"type": "stack_trace", "max_entries": 1, "value": 12}, r"value size in bytes .* is 12; allowed is 8 to 1016"),
        ({"type": "prog_array", "max_entries": 1, "value": "u16"}, r"PROG_ARRAY map holds a program"),
        ({"type": "hash_of_maps", "key": "u32", "max_entries": 1}, r"inner of the HASH_OF_MAPS map is None"),
        ({"type": "array_of_maps", "max_entries": 1, "inner": {"key": "u32"}}, r"lacks 'type'"),
        ({"type": "task_storage", "value": "u32", "max_entries": 5}, r"max_entries .* is 5; allowed is 0"),
        ({"type": "task_storage", "value": "u32", "key": "ipv4"}, r"keys of a TASK_STORAGE map are pidfds"),
        ({"type": "devmap", "max_entries": 1, "value": 6}, r"give no value, or its size, 4 or 8"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_allowed_before_any_call(
    bpf_backend: str, arguments: dict[str, Any], text: str
) -> None:
    backend = Counting(bpf_backend)
    with Lab(backend) as lab, pytest.raises(ArgumentError, match=text):
        lab.map(**arguments)
    assert backend.asked == 0


@pytest.mark.parametrize(
    ("errno", "error", "text"),
    [
        (Errno.EPERM, NotPermittedError, "CAP_BPF"),
        (Errno.ENOMEM, OutOfMemoryError, "max_entries 8.*fewer entries"),
        (Errno.EINVAL, NotSupportedError, "This kernel does not have the type"),
        (Errno.EMFILE, SyscallError, "EMFILE"),
    ],
)
def test_what_the_kernel_refuses_is_said_in_words(
    bpf_backend: str, errno: Errno, error: type[Exception], text: str
) -> None:
    with Lab(Counting(bpf_backend, errno)) as lab, pytest.raises(error, match=text) as caught:
        lab.map(**HASH, name="flows")
    assert isinstance(caught.value, SyscallError)
    assert caught.value.errno == errno
    assert caught.value.failure.arguments["max_entries"] == 8
    assert "HASH map 'flows'" in str(caught.value)


def test_flags_that_a_type_cannot_be_without_are_added(make: Make) -> None:
    assert MapFlag.NO_PREALLOC in make("lpm_trie", key="ipv4", value="u32", max_entries=1).flags


def test_a_numa_node_is_a_flag(make: Make) -> None:
    assert MapFlag.NUMA_NODE in make(**HASH, numa_node=0).flags


def test_perf_event_arrays_have_an_entry_for_each_cpu_by_default(bpf: Lab, make: Make) -> None:
    assert make("perf_event_array").max_entries == bpf.backend.possible_cpus


def test_a_named_map_is_known_to_its_lab_until_it_is_closed(bpf: Lab, make: Make) -> None:
    made = make(**HASH, name="flows")
    assert bpf.maps["flows"] is made
    made.close()
    assert "flows" not in bpf.maps
    made.close()


def test_a_lab_closes_its_maps(bpf_backend: str) -> None:
    with Lab(bpf_backend) as lab:
        made = lab.map(**HASH, name="flows")
    assert made.closed


def test_a_closed_map_cannot_be_used(make: Make) -> None:
    made = make(**HASH, name="flows")
    made[1] = 1
    made.close()
    attempts: list[Callable[[], object]] = [lambda: made[1], lambda: made.lookup(1), lambda: len(made), made.freeze]
    for attempt in attempts:
        with pytest.raises(Exception, match="HASH map 'flows' is closed; it closes with its Lab"):
            attempt()


def test_a_map_prints_what_it_is(make: Make) -> None:
    text = repr(make(**HASH, name="flows"))
    assert "HASH map 'flows', u32 -> u32, max_entries 8" in text


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arguments=map_arguments())
def test_every_map_that_the_strategy_draws_can_be_made(bpf_backend: str, arguments: dict[str, Any]) -> None:
    with Lab(bpf_backend) as lab:
        made = lab.map(**arguments)
        assert made.type == arguments["type"]


@settings(max_examples=60, deadline=None)
@given(arguments=map_arguments(st.sampled_from([MapType.HASH, MapType.ARRAY, MapType.LPM_TRIE, MapType.QUEUE])))
@pytest.mark.bpf(backend="kernel")
def test_the_kernel_says_of_a_map_what_was_asked_for(bpf_backend: str, arguments: dict[str, Any]) -> None:
    with Lab(bpf_backend) as lab:
        made = lab.map(**arguments)
        info, shape = made.info, made.shape
        assert (info.type, info.name, info.max_entries) == (shape.type, shape.name, shape.max_entries)
        assert (info.key_size, info.value_size, info.flags) == (shape.key_size, shape.value_size, shape.flags)
