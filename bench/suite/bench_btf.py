"""Types by name: reading BTF, finding a name, decoding what was found; by number of types."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest
from c_baseline import libbpf, missing

from bpflab.abi.btf import BtfKind
from bpflab.obj import Btf
from bpflab.obj.btf_types import Int, Member, Struct

if TYPE_CHECKING:
    from effort import Effort
    from measure import Measure, Work

    from bpflab import Lab

KERNELS_NAMES = ("task_struct", "sk_buff", "net_device", "file", "inode", "sock", "xdp_md", "bpf_map", "page")


@lru_cache
def made(types: int) -> bytes:
    """Make BTF of so many structs with four members each."""
    members = tuple(Member(f"member{number}", 1, 32 * number) for number in range(4))
    structs = [Struct(name=f"struct{number}", size=16, members=members) for number in range(types - 1)]
    return Btf.build([Int(name="int", size=4, bits=32), *structs]).data


def in_c(effort: Effort, data: bytes, names: list[str], count: int) -> dict[str, Work]:
    """Return reading and finding by libbpf, where there is one."""
    if effort.backend != "kernel" or missing():
        return {}
    c = libbpf()
    c.types_read.restype = ctypes.c_void_p
    wanted = b"".join(name.encode() + b"\0" for name in names)
    types = ctypes.c_void_p(c.types_read(data, len(data)))
    if c.types_find(types, wanted, ctypes.c_long(len(names))) != len(names):
        raise LookupError("libbpf does not find the names")

    def read() -> None:
        for _ in range(count):
            c.types_close(ctypes.c_void_p(c.types_read(data, len(data))))

    def find() -> None:
        for _ in range(count):
            c.types_find(types, wanted, ctypes.c_long(len(names)))

    return {"read": read, "find": find}


def chosen(ways: dict[str, Work], what: str, **own: Work) -> dict[str, Work]:
    return {**own, **({"libbpf": ways[what]} if what in ways else {})}


def ten_of(types: int) -> list[str]:
    return [f"struct{number}" for number in range(0, types - 1, max(1, types // 10))][:10]


@pytest.mark.ways("bpflab", kernel=["libbpf"])
@pytest.mark.axis("types", kernel=[100, 1_000, 10_000, 100_000], sim=[100, 1_000])
def test_read(measure: Measure, effort: Effort, types: int, way: str) -> None:
    """Read a blob and find one name in it, which is when an index is made."""
    data, count = made(types), effort.count(kernel=max(1, 4_000 // types), sim=1)

    def read() -> None:
        for _ in range(count):
            Btf(data).require("struct1", BtfKind.STRUCT)

    ways = chosen(in_c(effort, data, ["struct1"], count), "read", bpflab=read)
    measure(ways, way, group="BTF read", subject="structs", operations=count, axis="types", value=types)


@pytest.mark.ways("bpflab", kernel=["libbpf"])
@pytest.mark.axis("types", kernel=[100, 1_000, 10_000, 100_000], sim=[100, 1_000])
def test_find(measure: Measure, effort: Effort, types: int, way: str) -> None:
    """Find ten names; libbpf goes through the types one by one, bpflab has an index."""
    names, data, count = ten_of(types), made(types), effort.count(kernel=max(1, 40_000 // types), sim=10)
    btf = Btf(data)

    def find() -> None:
        for _ in range(count):
            for name in names:
                btf.find(name, BtfKind.STRUCT)

    ways = chosen(in_c(effort, data, names, count), "find", bpflab=find)
    measure(ways, way, group="BTF find", subject="structs", operations=count * 10, axis="types", value=types)


@pytest.mark.ways("read", "find", "decode")
def test_kernel_types(measure: Measure, kernel: Lab, effort: Effort, way: str) -> None:
    """The running kernel's own types: read with a first name, ten names found, ten structs decoded."""
    data = kernel.backend.kernel_btf()
    if data is None:
        pytest.skip("needs a kernel with types (CONFIG_DEBUG_INFO_BTF)")
    btf, names = Btf(data), [name for name in KERNELS_NAMES if Btf(data).find(name, BtfKind.STRUCT)]
    count = 1 if way == "read" else effort.count(kernel=12, sim=1)
    peers = in_c(effort, data, names, count)

    def read() -> None:
        Btf(data).require(names[0], BtfKind.STRUCT)

    def find() -> None:
        for _ in range(count):
            for name in names:
                btf.find(name, BtfKind.STRUCT)

    def decode() -> None:
        for _ in range(count):
            for name in names:
                btf[btf.require(name, BtfKind.STRUCT)]

    ways = chosen(peers, way, read=read, find=find, decode=decode)
    operations = count * (1 if way == "read" else len(names))
    measure(ways, way, group="BTF of the kernel", subject=way, operations=operations)
