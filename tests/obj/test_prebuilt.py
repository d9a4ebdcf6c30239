from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpflab import XDP, Lab
from bpflab.errors import CompileError
from bpflab.obj import read_object
from bpflab.obj.prebuilt import compiled, object_of, read_sums, ship, shipped_object, sums_of
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bpflab.abi.layout import ByteOrder

PASS = '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nSEC("xdp") int pass(struct xdp_md *c) { return 2; }\n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "pass.bpf.c"
    path.write_text(PASS, encoding="utf-8")
    return path


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPF_CLANG", "no-such-compiler")


def test_a_source_is_compiled_where_no_object_is_shipped(source: Path) -> None:
    assert shipped_object(source) is None
    assert compiled(source).read_bytes().startswith(b"\x7fELF")


def test_a_shipped_object_is_taken_without_a_compiler(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert object_of(source) in ship(source)
    monkeypatch.setenv("BPF_CLANG", "no-such-compiler")
    assert compiled(source) == object_of(source)
    with Lab("auto") as lab:
        assert list(lab.load(source).programs) == ["pass"]


@pytest.mark.parametrize("edited", [lambda source: source, object_of], ids=["source", "object"])
def test_an_edited_source_or_object_is_not_taken(source: Path, edited: Callable[[Path], Path]) -> None:
    ship(source)
    with edited(source).open("ab") as file:
        file.write(b"\n")
    assert shipped_object(source) is None
    assert compiled(source) != object_of(source)


@pytest.mark.parametrize(("byteorder", "name"), [("little", "pass.bpf.o"), ("big", "pass.bpfeb.o")])
def test_there_is_an_object_for_each_byte_order(source: Path, byteorder: ByteOrder, name: str) -> None:
    ship(source)
    shipped = shipped_object(source, byteorder)
    assert shipped == source.with_name(name)
    assert read_object(shipped).byteorder == byteorder


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_a_lab_takes_the_object_of_its_own_byte_order(source: Path, byteorder: ByteOrder) -> None:
    with Lab(SimBackend(Machine(byteorder=byteorder))) as lab:
        assert lab.load(source).programs["pass"].run(bytes(64)).action is XDP.PASS


@pytest.mark.usefixtures("without_compiler")
def test_without_a_compiler_the_error_says_what_is_missing(source: Path) -> None:
    with pytest.raises(CompileError, match=r"pass\.bpf\.c: .*no-such-compiler"):
        compiled(source)


def test_without_a_compiler_a_stale_object_is_mentioned(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ship(source)
    source.write_text(PASS.replace("return 2", "return 1"), encoding="utf-8")
    monkeypatch.setenv("BPF_CLANG", "no-such-compiler")
    with pytest.raises(CompileError, match=r"pass\.bpf(eb)?\.o lies beside it, and was built from another version"):
        compiled(source)


def test_the_hashes_are_in_the_form_of_sha256sum(source: Path) -> None:
    ship(source)
    assert set(read_sums(sums_of(source))) == {"pass.bpf.c", "pass.bpf.o", "pass.bpfeb.o"}
    sums_of(source).write_text("0123 *pass.bpf.c\nnonsense\n", encoding="utf-8")
    assert read_sums(sums_of(source)) == {"pass.bpf.c": "0123"}
