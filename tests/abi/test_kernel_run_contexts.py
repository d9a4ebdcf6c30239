"""A test run takes values for the members that the layouts call settable, and zeros for the others."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING, Final

import pytest

from bpflab.abi.attach_types import AttachType
from bpflab.abi.commands import Command
from bpflab.abi.context import can_test_run, run_layout_of
from bpflab.abi.flags import ProgFlag
from bpflab.abi.helpers import table
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from tests.abi.conftest import RawKernel

EINVAL, ENOTSUPP = 22, 524
AF_INET = 2
PACKET: Final = bytes(64)
RETURN_1: Final = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 1, 0x95, 0, 0, 0)
VALUES: Final = {"data": 4, "data_end": len(PACKET), "wire_len": len(PACKET), "family": AF_INET}
"""A value that fits a member better than 1 does."""
UNTOLD: Final = {"rx_queue_index", "pf", "hook", "args"}
"""Members whose only value that a machine surely takes is 0, or that are tied to each other."""
BASES: Final = {"bpf_sk_lookup": {"family": AF_INET}, "xdp_md": {"data_end": len(PACKET)}}
"""Members that must have a value."""
WITHOUT_PACKET: Final = {ProgType.SK_LOOKUP, ProgType.RAW_TRACEPOINT, ProgType.SYSCALL}
ATTACHED: Final = {
    ProgType.CGROUP_SOCK: AttachType.CGROUP_INET_SOCK_CREATE,
    ProgType.SOCK_OPS: AttachType.CGROUP_SOCK_OPS,
    ProgType.CGROUP_DEVICE: AttachType.CGROUP_DEVICE,
    ProgType.SK_MSG: AttachType.SK_MSG_VERDICT,
    ProgType.SK_SKB: AttachType.SK_SKB_STREAM_VERDICT,
    ProgType.CGROUP_SOCK_ADDR: AttachType.CGROUP_INET4_CONNECT,
    ProgType.SK_REUSEPORT: AttachType.SK_REUSEPORT_SELECT,
    ProgType.CGROUP_SYSCTL: AttachType.CGROUP_SYSCTL,
    ProgType.CGROUP_SOCKOPT: AttachType.CGROUP_SETSOCKOPT,
    ProgType.SK_LOOKUP: AttachType.SK_LOOKUP,
    ProgType.NETFILTER: AttachType.NETFILTER,
}
UNLOADED: Final = {
    *(ProgType.UNSPEC, ProgType.EXT, ProgType.LSM, ProgType.TRACING),
    *(ProgType.STRUCT_OPS, ProgType.LIRC_MODE2),
}
"""Types that do not load without something to attach to, or that many kernels are built without."""


def run(kernel: RawKernel, prog_type: ProgType, values: dict[str, int]) -> int:
    """Run a program of two instructions with the given context; gives 0 or a negative errno."""
    descriptor, log = kernel.load(
        prog_type,
        RETURN_1,
        attach_type=ATTACHED.get(prog_type, 0),
        flags=ProgFlag.SLEEPABLE if prog_type is ProgType.SYSCALL else 0,
    )
    assert descriptor >= 0, f"errno {-descriptor}: {log}"
    layout = run_layout_of(prog_type)
    context = bytearray(layout.size if layout else 0)
    for name, value in {**BASES.get(layout.name, {}), **values}.items() if layout else ():
        member = layout.field(name) if layout else None
        assert member is not None
        context[member.offset : member.offset + member.size] = value.to_bytes(member.size, "little")
    packet = b"" if prog_type in WITHOUT_PACKET else PACKET
    buffers = [ctypes.create_string_buffer(bytes(each), len(each)) if each else None for each in (packet, context)]
    addresses = [ctypes.addressof(buffer) if buffer else 0 for buffer in buffers]
    attr = struct.pack(
        "<4I2Q4I2Q4I",
        *(descriptor, 0, len(packet), 0, addresses[0], 0),
        *(0 if prog_type in WITHOUT_PACKET - {ProgType.SK_LOOKUP} else 1, 0, len(context), 0, addresses[1], 0),
        *(0, 0, 0, 0),
    )
    answer = kernel.bpf(Command.PROG_TEST_RUN, bytearray(attr))
    os.close(descriptor)
    return answer


@pytest.mark.parametrize(
    "prog_type", [ProgType.SCHED_CLS, ProgType.XDP, ProgType.FLOW_DISSECTOR, ProgType.SK_LOOKUP], ids=lambda t: t.name
)
def test_a_test_run_takes_a_value_for_settable_members_alone(
    raw_kernel: RawKernel, kernel_release: tuple[int, int], prog_type: ProgType
) -> None:
    layout = run_layout_of(prog_type)
    assert layout is not None
    told = [member for member in layout.fields if member.name not in UNTOLD]
    answers = {member.name: run(raw_kernel, prog_type, {member.name: VALUES.get(member.name, 1)}) for member in told}
    refused = {name for name, answer in answers.items() if answer == -EINVAL}
    unsettable = {member.name for member in told if not member.settable}
    assert refused <= unsettable
    assert refused == unsettable or kernel_release > table().measured


@pytest.mark.parametrize("prog_type", [each for each in ProgType if each not in UNLOADED], ids=lambda t: t.name)
def test_a_type_can_be_run_if_the_kernel_runs_it(raw_kernel: RawKernel, prog_type: ProgType) -> None:
    answer = run(raw_kernel, prog_type, {})
    assert (answer != -ENOTSUPP) == can_test_run(prog_type)
