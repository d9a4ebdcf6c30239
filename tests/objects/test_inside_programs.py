"""Programs that attach to functions of other programs, or take their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpflab import Lab
from bpflab.backend.mock import MockBackend
from bpflab.errors import BtfError, NotPermittedError, ObjectError
from bpflab.obj import Btf

BASE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
__noinline int choose(struct xdp_md *ctx) { asm volatile(""); return XDP_PASS; }
SEC("xdp") int base(struct xdp_md *ctx) { return choose(ctx); }
char _license[] SEC("license") = "GPL";
"""
OTHER = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
int calls;
SEC("freplace/choose") int replaces(struct xdp_md *ctx) { return XDP_DROP; }
SEC("fexit/somewhere") int watches(void *ctx) { calls++; return 0; }
char _license[] SEC("license") = "GPL";
"""


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    base, other = tmp_path / "base.bpf.c", tmp_path / "other.bpf.c"
    base.write_text(BASE)
    other.write_text(OTHER)
    return base, other


@pytest.mark.bpf(backend="kernel")
def test_a_program_is_watched_by_another(bpf: Lab, sources: tuple[Path, Path]) -> None:
    base, obj = bpf.load(sources[0]), bpf.open(sources[1])
    obj.drop("replaces")
    obj.attach_to("watches", "choose", inside=base.programs.base)
    try:
        loaded = obj.load()
    except NotPermittedError:
        pytest.skip("needs a kernel that lets root attach to programs")

    bpf.attach(loaded.programs.watches)
    base.programs.base.run(bytes(64), repeat=3)

    assert loaded.bss.calls == 3


def test_a_replacement_names_the_function_and_its_program(sources: tuple[Path, Path]) -> None:
    backend = MockBackend()
    with Lab(backend) as lab:
        base, obj = lab.load(sources[0]), lab.open(sources[1])
        obj.drop("watches")
        types = Btf(base.spec.btf or b"")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bpflab.maps.kernel_types.types_of", lambda _lab, _id: types)
            obj.attach_to("replaces", "choose", inside=base.programs.base)
            obj.load()

        sent = backend.calls("PROG_LOAD")[-1]
        assert (sent.attach_prog_fd, sent.attach_btf_id) == (base.programs.base.fileno(), types.require("choose"))


def test_a_replacement_must_be_told_where(bpf: Lab, sources: tuple[Path, Path]) -> None:
    obj = bpf.open(sources[1])
    obj.drop("watches")

    with pytest.raises(ObjectError, match=r"'replaces' replaces a function of another program.*inside="):
        obj.load()


def test_a_program_without_the_function_says_so(bpf: Lab, sources: tuple[Path, Path]) -> None:
    base, obj = bpf.load(sources[0]), bpf.open(sources[1])
    obj.drop("replaces")
    obj.attach_to("watches", "chose", inside=base.programs.base)

    with pytest.raises(BtfError, match=r"'chose'.*choose"):
        obj.load()
