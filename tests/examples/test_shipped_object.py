from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from bpflab.cli.demo import example_directory
from bpflab.obj import read_object
from bpflab.obj.prebuilt import object_of, ship, shipped_object

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.abi.layout import ByteOrder
    from bpflab.obj.spec import ObjectSpec

BUILT_BY = (
    "the objects are built by ziglang 0.17.1; build them anew with BPF_CLANG=ziglang bpflab compile firewall.bpf.c"
)
SOURCE = example_directory() / "firewall.bpf.c"


ORDERS: Final[tuple[ByteOrder, ...]] = ("little", "big")
pytestmark = pytest.mark.parametrize("byteorder", ORDERS)


@pytest.fixture
def shipped(byteorder: ByteOrder) -> Path:
    return object_of(SOURCE, byteorder)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, byteorder: ByteOrder) -> ObjectSpec:
    monkeypatch.setenv("BPF_CLANG", "ziglang")
    copied = tmp_path / SOURCE.name
    shutil.copy(SOURCE, copied)
    ship(copied)
    return read_object(object_of(copied, byteorder))


def test_the_shipped_object_is_the_one_of_the_source(byteorder: ByteOrder, shipped: Path) -> None:
    assert shipped_object(SOURCE, byteorder) == shipped, BUILT_BY


def test_building_it_again_gives_the_same_instructions(built: ObjectSpec, shipped: Path) -> None:
    assert {name: program.insns for name, program in built.programs.items()} == {
        name: program.insns for name, program in read_object(shipped).programs.items()
    }, BUILT_BY


def test_building_it_again_gives_the_same_maps(built: ObjectSpec, shipped: Path) -> None:
    assert built.maps == read_object(shipped).maps, BUILT_BY


def test_the_object_holds_no_path_of_the_machine_that_built_it(shipped: Path) -> None:
    assert re.findall(rb"/(?:home|root|usr|opt|tmp|var|work)/[\w./-]*", shipped.read_bytes()) == []
