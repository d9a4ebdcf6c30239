"""Spin locks in map values are taken and given back as on the running kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bpflab import Lab
from bpflab.errors import BpfError

SOURCE = Path(__file__).parent / "programs" / "lock.bpf.c"


def history(lab: Lab) -> tuple[list[int], list[tuple[int, int, int]]]:
    """Run packets of several lengths; give every verdict and what the map held in the end."""
    loaded = lab.load(SOURCE)
    for key in (0, 2):
        loaded.maps.elements[key] = {"count": key * 10, "last": 0}
    verdicts = [loaded.programs.count.run(bytes(size)).retval for size in (20, 22, 24, 21, 22, 60)]
    return verdicts, sorted((key, value.count, value.last) for key, value in loaded.maps.elements.items())


def count_once(lab: Lab, source: Path) -> None:
    loaded = lab.load(source)
    loaded.maps.elements[0] = {"count": 0, "last": 0}
    loaded.programs.count.run(bytes(20))


def test_what_is_changed_under_a_lock_is_the_same(pair: Any) -> None:
    assert history(pair.sim) == history(pair.kernel)


@pytest.mark.parametrize(
    "change",
    [
        ("bpf_spin_unlock(&element->lock);", ""),
        ("bpf_spin_unlock(&element->lock);", "bpf_spin_unlock(&element->lock);bpf_spin_unlock(&element->lock);"),
        ("bpf_spin_lock(&element->lock);", "bpf_spin_lock(&element->lock);bpf_spin_lock(&element->lock);"),
        ("bpf_spin_lock(&element->lock);", "bpf_spin_lock((void *)&element->last);"),
    ],
    ids=["kept", "given back twice", "taken twice", "no lock"],
)
def test_a_lock_that_is_misused_stops_the_program(pair: Any, tmp_path: Path, change: tuple[str, str]) -> None:
    source = tmp_path / "misused.bpf.c"
    source.write_text(SOURCE.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    for lab in (pair.kernel, pair.sim):
        with pytest.raises(BpfError):
            count_once(lab, source)
