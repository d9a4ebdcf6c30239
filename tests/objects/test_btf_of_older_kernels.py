"""An object's BTF is rewritten for a kernel that does not know all its kinds, and still loads."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpflab import Lab
from bpflab.abi.attr import LAYOUTS
from bpflab.abi.btf import BtfKind, FuncLinkage
from bpflab.abi.commands import Command
from bpflab.backend.wrap import WrappedBackend
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf
from bpflab.obj.btf_layout import size_of
from bpflab.obj.btf_older import NEWER, rewritten
from bpflab.objects.btf import for_older_kernel

if TYPE_CHECKING:
    from bpflab.backend.base import Backend

INT = t.Int(name="int", size=4, bits=32)
TYPES: tuple[t.BtfType, ...] = (
    INT,
    t.FuncProto(return_id=1, parameters=(t.Parameter("a", 1),)),
    t.Func(name="f", type_id=2, linkage=FuncLinkage.GLOBAL),
    t.Var(name="x", type_id=1),
    t.Datasec(name=".data.own", size=4, variables=(t.SectionVariable(4, 0, 4),)),
    t.Float(name="double", size=8),
    t.DeclTag(name="tag", type_id=4),
    t.TypeTag(name="user", type_id=1),
    t.Pointer(type_id=8),
    t.Enum64(name="wide", size=8, values=(t.EnumValue("ONE", 1), t.EnumValue("BIG", 1 << 40))),
    t.Struct(name="all", size=24, members=(t.Member("d", 6, 0), t.Member("p", 9, 64), t.Member("e", 10, 128))),
)


class OlderKernel(WrappedBackend):
    """Refuses BTF that has one of the kinds in `unknown`, or global functions when those are."""

    def __init__(self, inner: Backend, unknown: set[BtfKind], *, global_functions: bool = True) -> None:
        super().__init__(inner)
        self.unknown = unknown
        self.global_functions = global_functions
        self._refused = False

    @property
    def bpf(self) -> Callable[[int, ctypes.c_void_p, int], int]:
        return self._call

    def errno(self) -> int:
        return 22 if self._refused else self.inner.errno()

    def _call(self, command: int, pointer: ctypes.c_void_p, size: int) -> int:
        self._refused = command == Command.BTF_LOAD and self._refuses(ctypes.string_at(pointer.value or 0, size))
        return -1 if self._refused else self.inner.bpf(command, pointer, size)

    def _refuses(self, attr: bytes) -> bool:
        layout = LAYOUTS[Command.BTF_LOAD]
        buffer = bytearray(attr.ljust(layout.size, b"\0"))
        btf = Btf(ctypes.string_at(layout.get(buffer, "btf"), layout.get(buffer, "btf_size")))
        found = [btf[type_id] for type_id in btf]
        has_global = any(isinstance(each, t.Func) and each.linkage is FuncLinkage.GLOBAL for each in found)
        return any(each.kind in self.unknown for each in found) or (has_global and not self.global_functions)


@pytest.fixture
def backend(bpf: Lab) -> Backend:
    return bpf.backend


@pytest.mark.parametrize("first", range(len(NEWER)), ids=[kind.name for kind in NEWER])
def test_kinds_that_the_kernel_does_not_know_are_rewritten(backend: Backend, first: int) -> None:
    unknown = {*NEWER[first:], *({BtfKind.VAR} if first < 2 else ()), *({BtfKind.FUNC_PROTO} if not first else ())}
    with Lab(OlderKernel(backend, unknown)) as lab:
        raw = for_older_kernel(lab, Btf.build(TYPES).data)
        assert raw is not None
        assert not unknown & {Btf(raw).kind(each) for each in Btf(raw)}
        lab.backend.close(lab.call(Command.BTF_LOAD, btf=raw, btf_size=len(raw)).result)


def test_global_functions_become_static_where_they_are_not_known(backend: Backend) -> None:
    with Lab(OlderKernel(backend, set(), global_functions=False)) as lab:
        raw = for_older_kernel(lab, Btf.build(TYPES).data)
        assert raw is not None
        assert Btf(raw).get(3, t.Func).linkage is FuncLinkage.STATIC


def test_sizes_and_ids_stay_what_they_are() -> None:
    before = Btf.build(TYPES)
    after = Btf(rewritten(before, NEWER))
    assert size_of(after, 11) == 24
    assert [each.name for each in after.get(11, t.Struct).members] == ["d", "p", "e"]
    assert [size_of(after, each) for each in (6, 9, 10)] == [size_of(before, each) for each in (6, 9, 10)]


COUNTED = """
static int __attribute__((btf_decl_tag("own"))) count;

__attribute__((section("xdp"), used)) int counts(void *ctx) { return ++count + 1; }
"""


def test_an_object_of_newer_types_loads_into_an_older_kernel(backend: Backend, tmp_path: Path) -> None:
    source = tmp_path / "counts.bpf.c"
    source.write_text(COUNTED, encoding="utf-8")
    with Lab(OlderKernel(backend, {BtfKind.DATASEC, BtfKind.VAR, BtfKind.DECL_TAG})) as lab:
        loaded = lab.load(source)
        assert loaded.programs["counts"].run(bytes(64)).retval == 2
        assert loaded.btf_refusal == ""
