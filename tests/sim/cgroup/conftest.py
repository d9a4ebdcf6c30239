"""A cgroup of the test's own, with this process in it: programs attached to it decide about real system calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.context import layout_of
from bpflab.abi.prog_types import ProgType
from bpflab.attach.link import Link
from bpflab.backend.select import kernel_refusal
from bpflab.programs.program import Program

SEEN = 256
"""Bytes of the map in which programs note what they saw."""


@dataclass(frozen=True)
class Rig:
    """A program on both kernels: attached to a cgroup of the running one, ready to be run on the simulated one."""

    kernel: Lab
    sim: Lab
    group: Path
    links: list[Link] = field(default_factory=list)
    loaded: list[Program] = field(default_factory=list)

    @property
    def labs(self) -> tuple[Lab, Lab]:
        return self.kernel, self.sim

    def load(self, code: str, kind: ProgType, place: AttachType, *, attach: bool = True) -> Program:
        """Load a program on both, attach it on the running kernel, and return the simulated one.

        It finds its context in r6 and the map `seen` in r7, and takes the place of the one before.
        """
        while self.links:
            self.links.pop().close()
        self.loaded.clear()
        for lab in self.labs:
            if "seen" not in lab.maps:
                lab.map("array", key="u32", value=SEEN, max_entries=1, name="seen")
            text = f"r6 = r1\nr7 = map[name:seen][0]+0\n{code}"
            self.loaded.append(lab.program(text, type=kind, expected_attach_type=place, license="GPL", name="judge"))
        if attach:
            self.links.append(self.kernel.attach(self.loaded[0], str(self.group), hook=place))
        return self.loaded[1]

    def seen(self) -> tuple[bytes, bytes]:
        """Return what was noted on the running kernel and on the simulated one."""
        kernel, sim = (bytes(lab.maps["seen"][0]) for lab in self.labs)
        return kernel, sim

    def forget(self) -> None:
        """Make both maps zero."""
        for lab in self.labs:
            lab.maps["seen"][0] = bytes(SEEN)


def noting(kind: ProgType, *names: str) -> str:
    """Write code that copies fields of the context to the same offsets of the map `seen`."""
    layout = layout_of(kind)
    assert layout is not None
    lines = []
    for name in names:
        member = layout.field(name)
        width = f"u{8 * member.size}"
        for offset in range(member.offset, member.end, member.size):
            lines += [f"r2 = *({width} *)(r6 + {offset})", f"*({width} *)(r7 + {offset}) = r2"]
    return "\n".join(lines)


@pytest.fixture
def note() -> Callable[..., str]:
    return noting


def unified_mount() -> Path | None:
    """Return where cgroups of version 2 are mounted; None where they are not."""
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text("utf-8").splitlines():
            _, place, kind, *_ = line.split()
            if kind == "cgroup2":
                return Path(place)
    return None


@pytest.fixture
def group() -> Iterator[Path]:
    refusal = kernel_refusal()
    mount = unified_mount()
    if refusal or mount is None:
        pytest.skip(refusal or "no cgroups of version 2 are mounted here")
    made = mount / f"bpflab-test-{os.getpid()}"
    before = next(line for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines() if line.startswith("0::"))
    try:
        made.mkdir(exist_ok=True)
        (made / "cgroup.procs").write_text(str(os.getpid()), "utf-8")
    except OSError as error:
        pytest.skip(f"no cgroup can be made and entered here: {error}")
    try:
        yield made
    finally:
        (mount / before[3:].lstrip("/") / "cgroup.procs").write_text(str(os.getpid()), "utf-8")
        made.rmdir()


@pytest.fixture
def rig(group: Path) -> Iterator[Rig]:
    with Lab("kernel") as kernel, Lab("sim") as sim:
        yield Rig(kernel, sim, group)


@pytest.fixture
def simulated() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


def errno_of(act: Callable[[], Any]) -> int:
    """Return the errno that an act fails with, negative; 0 when it does not."""
    try:
        act()
    except OSError as error:
        return -(error.errno or 0)
    return 0


@pytest.fixture
def errno() -> Callable[[Callable[[], Any]], int]:
    return errno_of
