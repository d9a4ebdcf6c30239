from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from bpflab.errors import RunnerError
from bpflab.runner.cache import Cache

CONTENT = "four"


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache") as opened:
        yield opened


def write(tree: Path) -> Mapping[str, str]:
    (tree / "file").write_text(CONTENT, encoding="utf-8")
    return {"fact": "told"}


def never(_: Path) -> Mapping[str, str]:
    pytest.fail("it was built again")


def temporaries(cache: Cache) -> list[Path]:
    return list(cache.directory.rglob(".new-*"))


def test_an_entry_is_built_once_and_found_again_with_its_facts(cache: Cache) -> None:
    built = cache.obtain("kind", "s390x", ("key",), write)
    found = cache.obtain("kind", "s390x", ("key",), never)
    assert found == built
    assert (found.tree / "file").read_text("utf-8") == CONTENT
    assert found.facts == {"fact": "told"}


def test_another_key_is_another_entry(cache: Cache) -> None:
    one = cache.obtain("kind", "s390x", ("one",), write)
    assert cache.obtain("kind", "s390x", ("two",), write).directory != one.directory


def lose(entry: Path) -> None:
    (entry / "tree" / "file").unlink()


def cut(entry: Path) -> None:
    (entry / "tree" / "file").write_text("f", encoding="utf-8")


def garble(entry: Path) -> None:
    (entry / "entry.json").write_text('{"facts"', encoding="utf-8")


def drop_manifest(entry: Path) -> None:
    (entry / "entry.json").unlink()


def other_shape(entry: Path) -> None:
    (entry / "entry.json").write_text("[]", encoding="utf-8")


@pytest.mark.parametrize("damage", [lose, cut, garble, drop_manifest, other_shape])
def test_a_damaged_entry_is_built_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    with Cache(tmp_path) as cache:
        entry = cache.obtain("kind", "s390x", ("key",), write)
    damage(entry.directory)
    with Cache(tmp_path) as cache:
        assert [listed.whole for listed in cache.entries()] == [False]
        assert (cache.obtain("kind", "s390x", ("key",), write).tree / "file").read_text("utf-8") == CONTENT
        assert [listed.whole for listed in cache.entries()] == [True]
        assert not temporaries(cache)


def test_an_entry_that_is_damaged_while_it_is_held_is_built_anew(cache: Cache) -> None:
    lose(cache.obtain("kind", "s390x", ("key",), write).directory)
    assert (cache.obtain("kind", "s390x", ("key",), write).tree / "file").exists()


def test_files_that_come_later_do_not_damage_an_entry(cache: Cache) -> None:
    entry = cache.obtain("kind", "s390x", ("key",), write)
    (entry.tree / "later.pyc").write_bytes(b"x")
    assert cache.obtain("kind", "s390x", ("key",), never) == entry


@pytest.mark.parametrize("failure", [RunnerError("no"), KeyboardInterrupt(), ValueError("bug")])
def test_a_build_that_fails_leaves_nothing_and_can_be_tried_again(cache: Cache, failure: BaseException) -> None:
    def fail(tree: Path) -> Mapping[str, str]:
        write(tree)
        raise failure

    with pytest.raises(type(failure)):
        cache.obtain("kind", "s390x", ("key",), fail)
    assert cache.entries() == []
    assert not temporaries(cache)
    assert cache.obtain("kind", "s390x", ("key",), write).facts == {"fact": "told"}


def test_a_full_disk_is_told_with_what_to_do(cache: Cache) -> None:
    def full(_: Path) -> Mapping[str, str]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(RunnerError, match=r"No space left on device\. Free some space, or set \$BPFLAB_CACHE_DIR"):
        cache.obtain("kind", "s390x", ("key",), full)
    assert not temporaries(cache)


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Cache(tmp_path / "file" / "cache") as cache, pytest.raises(RunnerError, match="cannot be written"):
        cache.obtain("kind", "s390x", ("key",), write)


def test_what_a_killed_builder_left_is_swept_by_the_next(cache: Cache) -> None:
    entry = cache.obtain("kind", "s390x", ("key",), write)
    lose(entry.directory)
    left = entry.directory.with_name(f".new-{entry.directory.name}-killed")
    left.mkdir()
    with Cache(cache.directory) as second:
        cache.__exit__(None, None, None)
        second.obtain("kind", "s390x", ("key",), write)
    assert not left.exists()


def test_of_two_that_start_at_once_one_builds_and_the_other_waits(tmp_path: Path) -> None:
    builds: list[str] = []
    started, told = threading.Event(), threading.Event()

    def slow(tree: Path) -> Mapping[str, str]:
        builds.append("slow")
        started.set()
        assert told.wait(10)
        return write(tree)

    def first() -> None:
        with Cache(tmp_path) as cache:
            cache.obtain("kind", "s390x", ("key",), slow)

    builder = threading.Thread(target=first)
    builder.start()
    assert started.wait(10)
    heard: list[str] = []

    def hear(stage: str, done: int = 0, total: int = 0) -> None:
        heard.append(f"{stage}{done or total or ''}")
        told.set()

    with Cache(tmp_path) as cache:
        assert cache.obtain("kind", "s390x", ("key",), never, hear).facts == {"fact": "told"}
    builder.join()
    assert builds == ["slow"]
    assert [stage.split(" kind/")[0] for stage in heard] == ["waiting for another process that uses"]


def test_an_entry_in_use_is_not_cleared_and_others_are(cache: Cache) -> None:
    used = cache.obtain("kind", "s390x", ("used",), write)
    with Cache(cache.directory) as other:
        free = other.obtain("kind", "arm64", ("free",), write)
    removed, left = cache.clear()
    assert removed == [f"kind/{free.directory.name}"]
    assert left == [f"kind/{used.directory.name}"]
    assert used.tree.exists()
    assert not free.directory.exists()


def test_a_word_chooses_what_is_cleared(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        for name in ("s390x", "arm64"):
            cache.obtain("kind", name, (name,), write)
    with Cache(tmp_path) as cache:
        cache.clear("arm64")
        assert [listed.name.split("/")[1].split("-")[0] for listed in cache.entries()] == ["s390x"]


def test_a_program_that_the_holder_becomes_goes_on_holding(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from bpflab.runner.cache import Cache\n"
        "cache = Cache(Path(sys.argv[1])); cache.obtain('kind', 's390x', ('key',), lambda tree: {})\n"
        "cache.keep_locks_over_exec(); os.execv('/bin/sh', ['sh', '-c', 'echo ready; read line'])"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        with Cache(tmp_path) as cache:
            assert cache.clear()[0] == []
        holder.communicate("done\n")
    with Cache(tmp_path) as cache:
        assert cache.clear()[1] == []


def test_a_closed_cache_holds_no_lock(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        cache.obtain("kind", "s390x", ("key",), write)
    (lock,) = (tmp_path / "kind").glob(".*.lock")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not file.closed
