"""Variables in an arena: shared by programs and the test, set before loading, read and written at any time."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpflab import Lab
from bpflab.errors import NoSuchNameError, ObjectError
from bpflab.objects.loaded import LoadedObject

SOURCE = Path(__file__).with_name("arena.bpf.c")


@pytest.fixture(autouse=True)
def _compiler_with_address_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPF_CLANG", "ziglang")


@pytest.fixture
def loaded(bpf: Lab) -> LoadedObject:
    obj = bpf.open(SOURCE)
    obj.arena.counter = 20
    if bpf.backend.release < (6, 9, 0):
        pytest.skip("needs a kernel with arenas (Linux 6.9)")
    return obj.load()


def test_a_program_and_the_test_share_the_variables(loaded: LoadedObject) -> None:
    assert loaded.programs.counts.run().retval == 21
    assert (loaded.arena.counter, loaded.arena.zero, loaded.arena.pair.right) == (21, 21, 13)

    loaded.arena.counter = 100
    loaded.arena.pair = {"left": 5, "right": 1000}

    assert loaded.programs.counts.run().retval == 101
    assert loaded.bss.seen == 1015


def test_an_address_in_the_arena_is_one_for_both_sides(loaded: LoadedObject) -> None:
    loaded.programs.counts.run()

    loaded.arena.pair = {"left": 1, "right": 7}
    assert loaded.programs.keeps.run().retval == 7
    loaded.arena.pair = {"left": 1, "right": 8}
    assert loaded.programs.follows.run().retval == 8


def test_variables_of_other_names_are_refused(loaded: LoadedObject) -> None:
    with pytest.raises(NoSuchNameError, match=r"no variable 'count' in .addr_space.1.*counter"):
        loaded.arena.count = 1


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("BPF_MAP_TYPE_ARENA", "BPF_MAP_TYPE_RINGBUF", "variables in an arena, and 0 maps of type ARENA"),
        ("__arena_global zero = 0", "__arena_global zero[6000] = { 1 }", "take 48032 bytes; it has 10 pages"),
    ],
)
def test_variables_need_an_arena_that_holds_them(bpf: Lab, tmp_path: Path, before: str, after: str, says: str) -> None:
    source = tmp_path / "arena.bpf.c"
    source.write_text(SOURCE.read_text().replace(before, after).replace("zero = counter", "*(long __arena *)&zero = 1"))

    with pytest.raises(ObjectError, match=says):
        bpf.open(source)
