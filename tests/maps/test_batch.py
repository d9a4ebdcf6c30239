from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.flags import UpdateFlag
from bpflab.backend.select import open_backend
from bpflab.backend.wrap import WrappedBackend
from bpflab.errors import (
    BatchProgress,
    BpfError,
    CodecError,
    MapFullError,
    MapKeyError,
    MapKeyExistsError,
    SyscallError,
)
from bpflab.lab import Lab
from bpflab.testing.strategies import entries

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Iterator

    from bpflab.backend.base import Backend
    from bpflab.maps.base import Map

BATCHES = (
    Command.MAP_LOOKUP_BATCH,
    Command.MAP_UPDATE_BATCH,
    Command.MAP_DELETE_BATCH,
    Command.MAP_LOOKUP_AND_DELETE_BATCH,
)


class OldKernel(WrappedBackend):
    """Answers as a kernel without some commands does, and counts the calls of each."""

    def __init__(self, inner: Backend, lacking: tuple[Command, ...]) -> None:
        super().__init__(inner)
        self.lacking = lacking
        self.calls: list[int] = []
        self._refused = False

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        return self.answer

    def answer(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        self.calls.append(command)
        self._refused = command in self.lacking
        return -1 if self._refused else self.inner.bpf(command, attr, size)

    def errno(self) -> int:
        return int(Errno.EINVAL) if self._refused else self.inner.errno()


@pytest.fixture(params=["batch", "single"])
def lab(request: pytest.FixtureRequest, bpf_backend: str) -> Iterator[Lab]:
    """Open a Lab whose kernel has batches, and one whose kernel does not."""
    lacking = BATCHES if request.param == "single" else ()
    with Lab(OldKernel(open_backend(bpf_backend), lacking)) as opened:
        yield opened


def table(lab: Lab, size: int = 100) -> Map[Any, Any]:
    return lab.map("hash", key="u32", value="u64", max_entries=size, name="t")


def progress(error: BpfError) -> BatchProgress:
    assert error.batch is not None
    return error.batch


def test_a_batch_writes_reads_and_deletes_many(lab: Lab) -> None:
    many = table(lab, 10_000)
    assert many.update_batch((key, key + 1) for key in range(10_000)) == 10_000
    assert many.lookup_batch() == {key: key + 1 for key in range(10_000)}
    assert many.lookup_batch([5, 10_001]) == {5: 6}
    assert many.delete_batch(range(9_000)) == 9_000
    assert many.lookup_and_delete_batch() == {key: key + 1 for key in range(9_000, 10_000)}
    assert len(many) == 0


def test_batches_are_used_where_there_are_some(bpf_backend: str) -> None:
    backend = OldKernel(open_backend(bpf_backend), ())
    with Lab(backend) as lab:
        many = table(lab, 4096)
        many.update_batch((key, 0) for key in range(4096))
        calls = len(backend.calls)
    assert calls < 20


def test_whether_there_are_batches_is_asked_once(bpf_backend: str) -> None:
    backend = OldKernel(open_backend(bpf_backend), BATCHES)
    with Lab(backend) as lab:
        many = table(lab)
        for _ in range(3):
            many.update_batch({1: 1})
        asked = backend.calls.count(Command.MAP_UPDATE_BATCH)
    assert asked == 1


def test_a_full_map_says_which_keys_were_done_and_loses_none(lab: Lab) -> None:
    small = table(lab, 100)
    source = ((key, key) for key in range(300))
    with pytest.raises(MapFullError, match="'t' is full: it holds its max_entries, 100") as caught:
        small.update_batch(source)
    batch = progress(caught.value)
    rest = list(batch.rest)
    assert sorted(small) == batch.done == list(range(len(batch.done)))
    assert batch.done + [key for key, _ in rest] == list(range(300))
    assert "The batch had done" in caught.value.__notes__[0]


def test_noexist_stops_at_the_key_that_is_there(lab: Lab) -> None:
    some = table(lab)
    some[3] = 33
    with pytest.raises(MapKeyExistsError, match="has the key 3 already") as caught:
        some.update_batch({1: 1, 2: 2, 3: 3, 4: 4}, flags=UpdateFlag.NOEXIST)
    batch = progress(caught.value)
    assert (batch.done, list(batch.rest)) == ([1, 2], [(3, 3), (4, 4)])
    assert some.lookup_batch() == {1: 1, 2: 2, 3: 33}


def test_exist_stops_at_the_key_that_is_missing(lab: Lab) -> None:
    some = table(lab)
    some.update({1: 0, 2: 0})
    with pytest.raises(MapKeyError, match="no key 3"):
        some.update_batch({1: 1, 2: 2, 3: 3}, flags=UpdateFlag.EXIST)
    assert some.lookup_batch() == {1: 1, 2: 2}


def test_a_batch_that_is_refused_as_a_whole_has_done_nothing(lab: Lab) -> None:
    some = table(lab)
    with pytest.raises(SyscallError) as caught:
        some.update_batch({1: 1, 2: 2}, flags=UpdateFlag.LOCK)  # the values have no lock
    batch = progress(caught.value)
    assert (batch.done, list(batch.rest), len(some)) == ([], [(1, 1), (2, 2)], 0)


def test_a_value_that_does_not_fit_stops_before_its_chunk(lab: Lab) -> None:
    some = table(lab, 10_000)
    pairs = itertools.chain(((key, 0) for key in range(5000)), [(5000, -1)], [(5001, 0)])
    with pytest.raises(CodecError, match="-1 does not fit u64") as caught:
        some.update_batch(pairs)
    batch = progress(caught.value)
    assert sorted(some) == batch.done
    assert [key for key, _ in batch.rest] == list(range(len(batch.done), 5002))


def test_keys_that_are_missing_are_passed_over_by_a_deletion(lab: Lab) -> None:
    some = table(lab)
    some.update({1: 1, 2: 2, 3: 3})
    assert some.delete_batch([9, 1, 8, 7, 3, 6]) == 2
    assert some.lookup_batch() == {2: 2}


def test_the_given_keys_are_taken_out(lab: Lab) -> None:
    some = table(lab)
    some.update({1: 1, 2: 2, 3: 3})
    assert some.lookup_and_delete_batch([1, 9, 3]) == {1: 1, 3: 3}
    assert some.lookup_batch() == {2: 2}


def test_what_was_taken_is_not_lost_when_a_key_does_not_fit(lab: Lab) -> None:
    some = table(lab)
    some.update({1: 1, 2: 2, 3: 3})
    with pytest.raises(CodecError) as caught:
        some.lookup_and_delete_batch([1, 2, "x"])
    assert progress(caught.value).taken == {1: 1, 2: 2}
    assert some.lookup_batch() == {3: 3}


def test_an_array_is_written_and_read_in_batches(lab: Lab) -> None:
    array = lab.map("array", value="u32", max_entries=5000)
    array.update_batch((index, index * 2) for index in range(5000))
    assert list(array.values()) == list(range(0, 10_000, 2))
    with pytest.raises(MapFullError, match="index 5000 lies past the end: max_entries is 5000, so indices go to 4999"):
        array.update_batch([(4999, 1), (5000, 1)])
    assert array[4999] == 1


def test_values_per_cpu_go_in_batches_too(lab: Lab) -> None:
    counters = lab.map("percpu_hash", key="u32", value="u32", max_entries=50)
    cpus = lab.backend.possible_cpus
    counters.update_batch({key: [key] * cpus for key in range(50)})
    assert counters.lookup_batch() == {key: [key] * cpus for key in range(50)}


def test_clear_empties_any_map_that_can_delete(lab: Lab) -> None:
    for kind, key in (("hash", "u32"), ("lru_hash", "u32"), ("lpm_trie", "ipv4"), ("percpu_hash", "u32")):
        made = lab.map(kind, key=key, value=4, max_entries=6000)
        one = [b"1234"] * lab.backend.possible_cpus if kind == "percpu_hash" else b"1234"
        made.update_batch(
            (number if key == "u32" else f"10.0.{number >> 8}.{number & 255}", one) for number in range(5000)
        )
        made.clear()
        assert (kind, len(made)) == (kind, 0)


def test_a_bucket_with_more_than_a_chunk_is_read_whole(lab: Lab) -> None:
    large = lab.map("hash", key="u32", value=400_000, max_entries=8)
    content = {key: bytes([key]) * 400_000 for key in range(8)}
    large.update_batch(content)
    assert large.lookup_batch() == content


@settings(max_examples=25)
@given(content=entries("u16", "s64", max_size=40), gone=st.sets(st.integers(0, 2**16 - 1)))
@pytest.mark.parametrize("lacking", [(), BATCHES], ids=["batch", "single"])
def test_a_batch_does_what_single_calls_do(
    bpf_backend: str, lacking: tuple[Command, ...], content: dict[int, int], gone: set[int]
) -> None:
    with Lab(OldKernel(open_backend(bpf_backend), lacking)) as lab:
        made = lab.map("hash", key="u16", value="s64", max_entries=64)
        made.update_batch(content)
        assert made.delete_batch(gone) == len(gone & set(content))
        left = {key: value for key, value in content.items() if key not in gone}
        assert dict(made.items()) == made.lookup_batch() == left
        assert made.lookup_and_delete_batch() == left


def test_raw_batches_are_the_packed_entries(bpf_backend: str) -> None:
    with Lab(bpf_backend) as lab:
        one, other = (lab.map("hash", key="u32", value="u64", max_entries=5000) for _ in range(2))
        one.update_batch((key, key * 3) for key in range(5000))
        for batch in one.raw_batches():
            other.update_raw(batch)
        assert other.lookup_batch() == one.lookup_batch()
