from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import pytest

from bpflab.abi.flags import UpdateFlag
from bpflab.errors import ArgumentError, BpfError, ClosedError, CodecError, MapKeyError
from bpflab.maps.codecs import AllCpus, PerCpuValues

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.lab import Lab
    from bpflab.maps.base import Map

    Make = Callable[..., Map[Any, Any]]

HASHES = pytest.mark.parametrize("kind", ["hash", "lru_hash"])
PER_CPU = pytest.mark.parametrize("kind", ["percpu_hash", "lru_percpu_hash"])


@pytest.fixture
def squares(make: Make) -> Map[Any, Any]:
    made = make("hash", key="u32", value="u64", max_entries=100, name="squares")
    made.update({number: number * number for number in range(10)})
    return made


@HASHES
def test_a_hash_is_read_and_written_as_a_dict(make: Make, kind: str) -> None:
    counters = make(kind, key="u32", value="u64", max_entries=1000)
    counters[1] = 10
    counters[1] += 5
    counters.update([(2, 20), (3, 30)])
    del counters[2]
    assert dict(counters.items()) == {1: 15, 3: 30}
    assert len(counters) == 2
    assert 3 in counters
    assert 2 not in counters


def test_a_key_that_is_missing_is_a_key_error_that_names_it(squares: Map[Any, Any]) -> None:
    with pytest.raises(MapKeyError, match=r"HASH map 'squares' has no key 77 among its at most 100"):
        squares[77]
    with pytest.raises(KeyError):
        del squares[77]
    with pytest.raises(KeyError):
        squares.pop(77)


def test_get_and_pop_take_a_default(squares: Map[Any, Any]) -> None:
    assert (squares.get(3), squares.get(77), squares.get(77, "none")) == (9, None, "none")
    assert (squares.pop(3), squares.pop(3, "gone"), 3 in squares) == (9, "gone", False)


def test_popitem_empties_a_map(squares: Map[Any, Any]) -> None:
    taken = dict(squares.popitem() for _ in range(10))
    assert taken == {number: number * number for number in range(10)}
    with pytest.raises(KeyError):
        squares.popitem()


def test_views_are_those_of_a_dict(squares: Map[Any, Any]) -> None:
    assert set(squares) == set(squares.keys()) == set(range(10))
    assert sorted(squares.values()) == [number * number for number in range(10)]
    assert squares.keys() & {3, 77} == {3}
    assert ((3, 9) in squares.items(), (3, 8) in squares.items(), 81 in squares.values()) == (True, False, True)
    assert len(squares.items()) == len(squares.values()) == 10


def test_views_read_anew_each_time(squares: Map[Any, Any]) -> None:
    keys = squares.keys()
    squares[50] = 1
    assert 50 in list(keys)
    squares.clear()
    assert list(keys) == []


def test_a_map_with_entries_is_true_and_an_empty_one_false(squares: Map[Any, Any]) -> None:
    assert squares
    squares.clear()
    assert not squares


def test_a_map_equals_a_dict_of_its_entries_and_no_other_map(squares: Map[Any, Any]) -> None:
    assert squares == {number: number * number for number in range(10)}
    assert squares != {}
    assert squares != squares.lab.map("hash", key="u32", value="u64", max_entries=100)
    assert isinstance(squares, MutableMapping)


def test_setdefault_keeps_what_is_there(squares: Map[Any, Any]) -> None:
    assert (squares.setdefault(3, 0), squares.setdefault(77, 5), squares[77]) == (9, 5, 5)


def test_operations_answer_instead_of_raising(squares: Map[Any, Any]) -> None:
    assert (squares.lookup(3), squares.lookup(77)) == (9, None)
    assert (squares.delete(3), squares.delete(3)) == (True, False)
    assert (squares.lookup_and_delete(4), squares.lookup_and_delete(4)) == (16, None)


def test_update_with_noexist_and_exist_says_whether_it_was_done(squares: Map[Any, Any]) -> None:
    assert squares.update(3, 1, flags=UpdateFlag.NOEXIST) is False
    assert squares[3] == 9
    assert squares.update(3, 1, flags=UpdateFlag.EXIST) is True
    assert squares.update(77, 1, flags=UpdateFlag.EXIST) is False
    assert squares.update(77, 1, flags=UpdateFlag.NOEXIST) is True
    assert (squares[3], squares[77]) == (1, 1)


def test_update_of_many_takes_no_flags(squares: Map[Any, Any]) -> None:
    with pytest.raises(ArgumentError, match="update_batch"):
        squares.update({1: 1}, flags=UpdateFlag.NOEXIST)
    with pytest.raises(ArgumentError, match="neither a mapping nor an iterable"):
        squares.update(5)


def test_next_key_visits_every_key_once(squares: Map[Any, Any]) -> None:
    seen, key = [], squares.get_next_key()
    while key is not None:
        seen.append(key)
        key = squares.get_next_key(key)
    assert sorted(seen) == list(range(10))


def test_next_key_asks_whoever_answers_now_and_nobody_after_the_map_is_closed(squares: Map[Any, Any]) -> None:
    first = squares.get_next_key()
    second = squares.get_next_key(first)
    with squares.lab.faults.fail("MAP_GET_NEXT_KEY", "EPERM"), pytest.raises(BpfError, match="EPERM"):
        squares.get_next_key(first)
    assert squares.get_next_key(first) == second
    squares.close()
    for key in (None, first):
        with pytest.raises(ClosedError):
            squares.get_next_key(key)


@pytest.mark.parametrize("wrong", [-1, 2**32, "3", 3.5, None])
def test_a_key_of_the_wrong_width_sign_or_type_is_refused_before_the_call(
    squares: Map[Any, Any], wrong: object
) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: squares[wrong],
        lambda: squares.lookup(wrong),
        lambda: squares.update(wrong, 1),
        lambda: squares.__setitem__(wrong, 1),
        lambda: squares.delete(wrong),
        lambda: squares.lookup_and_delete(wrong),
        lambda: squares.get_next_key(wrong) if wrong is not None else squares[wrong],
        lambda: wrong in squares,
        lambda: squares.update_batch([(wrong, 1)]),
        lambda: squares.delete_batch([wrong]),
    ]
    for attempt in attempts:
        with pytest.raises(CodecError, match="key of the HASH map 'squares'"):
            attempt()
    assert len(squares) == 10


def test_a_value_that_does_not_fit_is_refused_before_the_call(squares: Map[Any, Any]) -> None:
    for attempt in (
        lambda: squares.__setitem__(1, -1),
        lambda: squares.update(1, 2**64),
        lambda: squares.update_batch([(1, "x")]),
    ):
        with pytest.raises(CodecError, match="value of the HASH map 'squares'"):
            attempt()
    assert squares[1] == 1


def test_an_array_has_every_index_and_is_zero_at_first(make: Make) -> None:
    array = make("array", value="s32", max_entries=5)
    array[3] = -7
    assert list(array.items()) == [(0, 0), (1, 0), (2, 0), (3, -7), (4, 0)]
    assert (len(array), list(array), 4 in array, 5 in array, -1 in array) == (5, [0, 1, 2, 3, 4], True, False, False)
    array.fill(2)
    assert list(array.values()) == [2] * 5


def test_an_array_cannot_delete(make: Make) -> None:
    array = make("array", value="u32", max_entries=5)
    assert not any(hasattr(array, name) for name in ("delete", "pop", "clear", "delete_batch", "lookup_and_delete"))
    with pytest.raises(TypeError, match=r"ARRAY map has no keys to delete\. It has: .*fill"):
        del array[1]


@PER_CPU
def test_a_per_cpu_hash_holds_a_list_for_each_key(bpf: Lab, make: Make, kind: str) -> None:
    counters = make(kind, key="u16", value="u64", max_entries=8)
    cpus = bpf.backend.possible_cpus
    counters[80] = range(1, cpus + 1)
    assert counters[80] == list(range(1, cpus + 1))
    counters[22] = AllCpus(5)
    assert isinstance(counters[22], PerCpuValues)
    assert counters[22].sum() == 5 * cpus
    assert dict(counters.items()) == {80: list(range(1, cpus + 1)), 22: [5] * cpus}


def test_a_per_cpu_array_is_zero_on_every_cpu(bpf: Lab, make: Make) -> None:
    array = make("percpu_array", value="u8", max_entries=3)
    assert list(array.values()) == [[0] * bpf.backend.possible_cpus] * 3


def test_a_per_cpu_value_is_not_spread_unasked(make: Make) -> None:
    array = make("percpu_array", value="u64", max_entries=3)
    with pytest.raises(CodecError, match=r"AllCpus\(value\) for the same on all"):
        array[0] = 5


def test_values_per_cpu_are_summed_up() -> None:
    values = PerCpuValues([4, 1, 7])
    assert (values.sum(), values.max(), values.min(), values.mean()) == (12, 7, 1, 4.0)
    with pytest.raises(CodecError, match=r"values.field\('packets'\).sum\(\)"):
        PerCpuValues([b"x"]).sum()


def test_bytes_go_in_as_any_buffer_of_the_right_size_and_come_out_as_bytes(make: Callable[..., Map[Any, Any]]) -> None:
    raw = make("hash", key=4, value=3, max_entries=8)
    for index, kind in enumerate((bytes, bytearray, memoryview)):
        raw[kind(bytes([index, 0, 0, 1]))] = kind(b"abc")
        assert raw[bytes([index, 0, 0, 1])] == b"abc"
        assert type(raw[bytes([index, 0, 0, 1])]) is bytes
    for wrong in (b"ab", b"abcd", bytearray(4), b""):
        with pytest.raises(CodecError, match=f"{len(wrong)} bytes are given .*; 3 are expected"):
            raw[bytes(4)] = wrong
    with pytest.raises(CodecError, match=r"5 bytes are given .*; 4 are expected"):
        raw[bytes(5)] = b"abc"
