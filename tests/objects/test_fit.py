"""Programs are fitted to the kernel they are loaded into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpflab.errors import NotSupportedError
from bpflab.obj import Btf, ObjectSpec, compile_c, read_object
from bpflab.obj import btf_types as t
from bpflab.obj.insns import Code
from bpflab.objects.fit import fitted

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
struct s { int a, b; } __attribute__((preserve_access_index));
extern int LINUX_KERNEL_VERSION __kconfig;
extern int CONFIG_HZ __kconfig __weak;
extern void take(int) __ksym;
SEC("xdp") int asks(void *ctx) { return bpf_core_field_offset(struct s, b); }
SEC("xdp") int calls(void *ctx) { take(LINUX_KERNEL_VERSION + CONFIG_HZ); return 0; }
"""


class Kernel:
    """As much of a backend as fitting asks."""

    name = "example"
    release = (6, 1, 2)

    def __init__(self, btf: bytes | None) -> None:
        self._btf = btf

    def kernel_btf(self) -> bytes | None:
        return self._btf


@pytest.fixture
def spec(tmp_path: Path) -> ObjectSpec:
    source = tmp_path / "fit.bpf.c"
    source.write_text(SOURCE)
    return read_object(compile_c(source, cache=tmp_path, byteorder="little"))


def returned(spec: ObjectSpec) -> int:
    return Code(spec.programs["asks"].insns, "little").imm(0)


def test_a_program_is_fitted_to_the_kernels_types(spec: ObjectSpec) -> None:
    btf = Btf.build(
        [t.Int(name="int", size=4, bits=32), t.Struct(name="s", size=44, members=(t.Member("b", 1, 320),))], "little"
    )
    assert returned(fitted(Kernel(btf.data), spec, ["asks"])) == 40


def test_a_kernel_without_types_has_those_of_the_program(spec: ObjectSpec) -> None:
    found = fitted(Kernel(None), spec, ["asks"])
    assert returned(found) == 4
    assert not found.programs["asks"].needs_kernel_types


def test_symbols_of_a_kernel_that_has_none_are_refused_by_name(spec: ObjectSpec) -> None:
    with pytest.raises(NotSupportedError, match=r"fit.bpf.o uses functions or variables of the kernel \(take\)"):
        fitted(Kernel(None), spec, ["calls"])


def test_the_configuration_has_the_backends_version_and_what_the_user_set(spec: ObjectSpec) -> None:
    place = spec.maps[".kconfig"]
    place.data = bytearray(b"\1" * place.value_size)
    found = fitted(Kernel(None), spec, ["asks"], keep=["CONFIG_HZ"])
    data = found.maps[".kconfig"].data or b""
    values = {name: data[each.offset :][: each.size] for name, each in place.variables.items()}
    assert values == {"CONFIG_HZ": b"\1\1\1\1", "LINUX_KERNEL_VERSION": (6 << 16 | 1 << 8 | 2).to_bytes(4, "little")}
