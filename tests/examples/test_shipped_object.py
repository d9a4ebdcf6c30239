from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from bpflab.cli.demo import example_directory
from bpflab.obj import read_object
from bpflab.obj.prebuilt import ship, shipped_object

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.obj.spec import ObjectSpec

BUILT_BY = (
    "firewall.bpf.o is built by ziglang 0.17.1; build it anew with BPF_CLANG=ziglang bpflab compile firewall.bpf.c"
)
SOURCE = example_directory() / "firewall.bpf.c"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectSpec:
    monkeypatch.setenv("BPF_CLANG", "ziglang")
    copied = tmp_path / SOURCE.name
    shutil.copy(SOURCE, copied)
    return read_object(ship(copied))


def test_the_shipped_object_is_the_one_of_the_source() -> None:
    assert shipped_object(SOURCE) == SOURCE.with_suffix(".o"), BUILT_BY


def test_building_it_again_gives_the_same_instructions(built: ObjectSpec) -> None:
    shipped = read_object(SOURCE.with_suffix(".o"))
    assert {name: program.insns for name, program in built.programs.items()} == {
        name: program.insns for name, program in shipped.programs.items()
    }, BUILT_BY


def test_building_it_again_gives_the_same_maps(built: ObjectSpec) -> None:
    assert built.maps == read_object(SOURCE.with_suffix(".o")).maps, BUILT_BY


def test_the_object_holds_no_path_of_the_machine_that_built_it() -> None:
    content = SOURCE.with_suffix(".o").read_bytes()
    assert re.findall(rb"/(?:home|root|usr|opt|tmp|var|work)/[\w./-]*", content) == []


def test_the_source_needs_only_headers_of_the_kernel_and_libbpf() -> None:
    included = re.findall(r"#include <([^>]+)>", SOURCE.read_text("utf-8"))
    assert [name for name in included if not name.startswith(("linux/", "bpf/"))] == []
