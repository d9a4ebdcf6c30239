"""The index of a large BTF on disk is a help, never a condition."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf
from bpflab.obj.btf_index import LARGE, indexed_table
from bpflab.obj.btf_table import read_table

COUNT = 60_000


@pytest.fixture(scope="module")
def large() -> bytes:
    return Btf.build([t.Struct(name=f"s{number % 50_000}", size=4) for number in range(COUNT)]).data


def test_a_table_from_the_file_is_the_one_that_was_made(large: bytes, tmp_path: Path) -> None:
    assert len(large) > LARGE
    made, kept = indexed_table(large, tmp_path), indexed_table(large, tmp_path)
    plain = read_table(large)
    assert list(made.starts) == list(kept.starts) == list(plain.starts)
    offset = plain.head(7)[0]
    assert list(kept.named(offset)) == list(plain.named(offset)) == [7, 50_007]


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, None], ids=["empty", "zeros", "one byte"])
def test_a_damaged_file_is_made_anew(large: bytes, tmp_path: Path, damage: bytes | None) -> None:
    indexed_table(large, tmp_path)
    (file,) = tmp_path.rglob("*.1")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"\xff" if damage is None else damage)
    assert list(indexed_table(large, tmp_path).starts) == list(read_table(large).starts)
    assert file.read_bytes() == whole


def test_a_directory_that_cannot_be_written_costs_nothing_else(large: bytes, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_bytes(b"")
    assert len(indexed_table(large, nowhere).starts) == COUNT
