"""Programs on settings and devices see and change the same in a simulated run as under a real system call."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import CGROUP
from bpflab.contexts import CgroupDevice, Sysctl
from bpflab.errors import InputError

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAME = "net/ipv4/tcp_low_latency"
"""A setting that the kernel keeps and does not use."""
READ_NAME = "kernel/ostype"
READ = """
    r1 = r6
    r2 = r7
    r2 += {at}
    r3 = {size}
    {more}
    call bpf_sysctl_{what}
    *(u64 *)(r7 + {result}) = r0
"""
LOOK = (
    READ.format(what="get_name", at=0, size="{size}", more="r4 = {flags}", result=192)
    + READ.format(what="get_current_value", at=64, size="{size}", more="", result=200)
    + READ.format(what="get_new_value", at=128, size="{size}", more="", result=208)
    + "r2 = *(u32 *)(r6 + 0)\n*(u32 *)(r7 + 216) = r2\nr2 = *(u32 *)(r6 + 4)\n*(u32 *)(r7 + 220) = r2\n"
)
WRITE = """
    r2 = {text} ll
    *(u64 *)(r10 - 8) = r2
    r1 = r6
    r2 = r10
    r2 += -8
    r3 = {size}
    call bpf_sysctl_set_new_value
    *(u64 *)(r7 + 224) = r0
"""


@pytest.fixture
def setting() -> Iterator[Path]:
    path = Path("/proc/sys") / NAME
    if not os.access(path, os.W_OK):
        pytest.skip(f"{path} cannot be written here")
    before = path.read_text("utf-8")
    yield path
    path.write_text(before, "utf-8")


@SETTINGS
@given(flags=st.sampled_from([0, 1, 2, 3]), size=st.sampled_from([1, 5, 6, 7, 8, 12, 13, 14, 15, 64]))
@example(flags=0, size=14)
@example(flags=1, size=7)
def test_a_read_shows_name_and_value(rig: Any, flags: int, size: int) -> None:
    program = rig.load(
        LOOK.format(flags=flags, size=size) + "r0 = 1\nexit", ProgType.CGROUP_SYSCTL, AttachType.CGROUP_SYSCTL
    )
    rig.forget()
    value = (Path("/proc/sys") / READ_NAME).read_text("utf-8")
    kernel_first = rig.kernel.maps["seen"][0]
    program.run(ctx=Sysctl(name=READ_NAME, current=value))
    assert bytes(rig.sim.maps["seen"][0]) != bytes(256)
    kernel, sim = bytes(kernel_first), rig.seen()[1]
    assert sim[:220] == kernel[:220]


@SETTINGS
@given(
    new=st.sampled_from(["7301", "7302\n", "1"]),
    text=st.sampled_from([b"7310", b"7311\n", b"9"]),
    size=st.sampled_from([1, 4, 5]),
    verdict=st.integers(0, 1),
)
@example(new="7301", text=b"7310", size=4, verdict=1)
@example(new="7301", text=b"7310", size=4, verdict=0)
def test_a_write_puts_what_the_program_says(
    rig: Any, setting: Path, errno: Callable[..., int], *, new: str, text: bytes, size: int, verdict: int
) -> None:
    number = int.from_bytes(text.ljust(8, b"\0"), sys.byteorder)
    code = LOOK.format(flags=0, size=32) + WRITE.format(text=number, size=min(size, len(text)))
    program = rig.load(f"{code}r0 = {verdict}\nexit", ProgType.CGROUP_SYSCTL, AttachType.CGROUP_SYSCTL)
    rig.forget()
    rig.links.pop().close()
    before = setting.read_text("utf-8")
    link = rig.kernel.attach(rig.loaded[0], str(rig.group), hook=AttachType.CGROUP_SYSCTL)
    real = errno(lambda: write_once(setting, new.encode()))
    kernel = rig.seen()[0]
    link.close()
    after = setting.read_text("utf-8")
    result = program.run(ctx=Sysctl(name=NAME, current=before, new=new))
    assert rig.seen()[1] == kernel
    assert result.ctx.retval == real
    assert after == (before if real else f"{int(result.ctx.new)}\n")


def write_once(path: Path, content: bytes) -> None:
    """Write by one system call, however much of it is taken."""
    with path.open("wb", buffering=0) as file:
        file.write(content)


@pytest.mark.parametrize("flag", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
@pytest.mark.parametrize("verdict", [0, 1])
def test_a_device_is_opened_as_the_program_allows(
    rig: Any, note: Callable[..., str], errno: Callable[..., int], flag: int, verdict: int
) -> None:
    names = ("access_type", "major", "minor")
    code = f"{note(ProgType.CGROUP_DEVICE, *names)}\nr0 = {verdict}\nexit"
    program = rig.load(code, ProgType.CGROUP_DEVICE, AttachType.CGROUP_DEVICE)
    opened: list[int] = []
    real = errno(lambda: opened.append(os.open("/dev/null", flag)))
    for fd in opened:
        os.close(fd)
    device = Path("/dev/null").stat().st_rdev
    access = {os.O_RDONLY: 2, os.O_WRONLY: 4, os.O_RDWR: 6}[flag] << 16 | 2
    result = program.run(ctx=CgroupDevice(access_type=access, major=os.major(device), minor=os.minor(device)))
    kernel, sim = rig.seen()
    assert sim == kernel
    assert result.ctx.retval == real
    assert result.action is (CGROUP.ALLOW if verdict else CGROUP.DENY)


def test_a_setting_is_shown_by_its_texts(simulated: Lab) -> None:
    program = simulated.program("r0 = 1\nexit", type="cgroup_sysctl")
    result = program.run(ctx=Sysctl(name=NAME, current="1\n", new="2"))
    assert repr(result.ctx) == f"Sysctl(name={NAME!r}, current='1\\n', new='2', write=1)"
    with pytest.raises(InputError, match="without zero bytes"):
        Sysctl(name="net\0")
    with pytest.raises(InputError, match="without zero bytes"):
        Sysctl(new=5)  # type: ignore[arg-type]  # wrong on purpose


def test_a_value_may_be_longer_than_the_one_it_replaces(simulated: Lab) -> None:
    code = WRITE.format(text=int.from_bytes(b"12345678", sys.byteorder), size=8).replace("*(u64 *)(r7 + 224) = r0", "")
    program = simulated.program(f"r6 = r1\n{code}r0 = 1\nexit", type="cgroup_sysctl")
    result = program.run(ctx=Sysctl(name=NAME, current="1", new="2"))
    assert result.ctx.new == "12345678"  # type: ignore[union-attr]  # a context came back
