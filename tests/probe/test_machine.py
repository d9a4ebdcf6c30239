from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpflab.abi.capabilities import Capability
from bpflab.probe import Answer, effective_capabilities
from bpflab.probe.machine import probe_compiler, settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("mask", "held"),
    [
        ("0000000000000000", frozenset()),
        ("0000008000000000", {Capability.CAP_BPF}),
        (
            "000000c000201000",
            {Capability.CAP_NET_ADMIN, Capability.CAP_SYS_ADMIN, Capability.CAP_PERFMON, Capability.CAP_BPF},
        ),
        ("000001ffffffffff", set(Capability)),
    ],
)
def test_capabilities_are_the_bits_of_the_effective_mask(tmp_path: Path, mask: str, held: set[Capability]) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tpython\nCapPrm:\t000001ffffffffff\nCapEff:\t{mask}\n", encoding="ascii")
    assert effective_capabilities(status) == held


def test_without_proc_no_capability_is_known(tmp_path: Path) -> None:
    assert effective_capabilities(tmp_path / "nowhere") == frozenset()


def test_settings_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "unprivileged_bpf_disabled").write_text("2\n", encoding="ascii")
    assert settings(tmp_path) == {"kernel.unprivileged_bpf_disabled": "2"}


def test_a_compiler_is_found_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPF_CLANG", "ziglang")
    found = probe_compiler()
    assert found.answer is Answer.YES
    assert "clang version" in found.detail


def test_a_missing_compiler_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPF_CLANG", "no-such-compiler")
    found = probe_compiler()
    assert found.answer is Answer.NO
    assert "no-such-compiler" in found.detail
