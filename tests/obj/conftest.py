"""Objects to read, compiled once a session from the sources in programs/."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from bpflab.obj import ObjectSpec, compile_c, read_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.layout import ByteOrder

PROGRAMS = Path(__file__).parent / "programs"


class Compile(Protocol):
    """Compiles programs/<name>.bpf.c and gives the object's path."""

    def __call__(self, name: str, byteorder: ByteOrder = "little") -> Path: ...


class Read(Protocol):
    """Compiles programs/<name>.bpf.c and reads it."""

    def __call__(self, name: str, byteorder: ByteOrder = "little") -> ObjectSpec: ...


@pytest.fixture(scope="session", autouse=True)
def _bundled_compiler() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BPF_CLANG", "ziglang")
        yield


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    directory = tmp_path_factory.mktemp("compiled")

    @cache
    def compile_one(name: str, byteorder: ByteOrder = "little") -> Path:
        return compile_c(PROGRAMS / f"{name}.bpf.c", byteorder=byteorder, cache=directory)

    return compile_one


@pytest.fixture
def read(compiled: Compile) -> Read:
    def read_one(name: str, byteorder: ByteOrder = "little") -> ObjectSpec:
        return read_object(compiled(name, byteorder))

    return read_one
