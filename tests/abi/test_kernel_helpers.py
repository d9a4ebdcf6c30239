"""The running kernel lets each type of program call the helpers that the table says it may call."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from bpflab.abi.attach_types import AttachType
from bpflab.abi.btf import BtfKind
from bpflab.abi.flags import ProgFlag
from bpflab.abi.helpers import Helper, all_helpers, table
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from tests.abi.conftest import RawKernel

    from bpflab.obj.btf import Btf

REFUSED: Final = re.compile(
    "cannot use helper|unknown func|not supported for program type|supported only|not allowed in probe"
)
LICENCE: Final = "GPL-restricted"
SLEEPS: Final = "might sleep"
PLAIN: Final = (
    "SOCKET_FILTER KPROBE SCHED_CLS SCHED_ACT TRACEPOINT XDP PERF_EVENT CGROUP_SKB LWT_IN LWT_OUT LWT_XMIT "
    "RAW_TRACEPOINT LWT_SEG6LOCAL RAW_TRACEPOINT_WRITABLE FLOW_DISSECTOR"
)
"""Types that load without an attach type."""
ATTACHED: Final = {
    ProgType.CGROUP_SOCK: "CGROUP_INET_SOCK_CREATE CGROUP_INET4_POST_BIND CGROUP_INET_SOCK_RELEASE",
    ProgType.SOCK_OPS: "CGROUP_SOCK_OPS",
    ProgType.SK_SKB: "SK_SKB_STREAM_VERDICT",
    ProgType.CGROUP_DEVICE: "CGROUP_DEVICE",
    ProgType.SK_MSG: "SK_MSG_VERDICT",
    ProgType.CGROUP_SOCK_ADDR: "CGROUP_INET4_BIND CGROUP_INET4_CONNECT CGROUP_UDP4_RECVMSG CGROUP_UNIX_CONNECT",
    ProgType.SK_REUSEPORT: "SK_REUSEPORT_SELECT",
    ProgType.CGROUP_SYSCTL: "CGROUP_SYSCTL",
    ProgType.CGROUP_SOCKOPT: "CGROUP_GETSOCKOPT CGROUP_SETSOCKOPT",
    ProgType.SK_LOOKUP: "SK_LOOKUP",
    ProgType.NETFILTER: "NETFILTER",
}
"""Types that load with an attach type, and attach types that allow different helpers."""
TYPED: Final = [
    (ProgType.TRACING, AttachType.TRACE_RAW_TP, BtfKind.TYPEDEF, "btf_trace_sys_enter"),
    (ProgType.TRACING, AttachType.TRACE_ITER, BtfKind.FUNC, "bpf_iter_task"),
    (ProgType.TRACING, AttachType.TRACE_ITER, BtfKind.FUNC, "bpf_iter_tcp"),
    (ProgType.STRUCT_OPS, 0, BtfKind.STRUCT, "tcp_congestion_ops"),
]
"""Types that attach to something in the kernel's BTF."""
UNASKED: Final = {("TRACING", name) for name in ("get_func_arg", "get_func_ret", "get_func_arg_cnt", "get_func_ip")}
"""Calls that TRACING programs get by fentry and fexit only, which are not loaded here."""
CONFIGURED: Final = {"override_return", "probe_write_user"}
"""Helpers that need CONFIG_BPF_KPROBE_OVERRIDE, and a kernel without lockdown."""


class Kind(NamedTuple):
    """A way to load a program: its type, and what makes its helpers differ within the type."""

    prog_type: ProgType
    attach_type: int = 0
    btf_id: int = 0
    flags: int = 0

    def complaint(self, kernel: RawKernel, row: Helper, licence: bytes) -> str:
        """Call the helper without arguments and give the verifier's last words."""
        code = struct.pack("<8BBBhi", 0x85, 0, 0, 0, *row.id.to_bytes(4, "little"), 0x95, 0, 0, 0)
        return kernel.complaint(
            self.prog_type,
            code,
            licence=licence,
            attach_type=self.attach_type,
            btf_id=self.btf_id,
            flags=self.flags,
        )


class Answer(NamedTuple):
    """What the verifier said of a helper in a kind of program, with and without the GPL."""

    kind: Kind
    helper: Helper
    licensed: str
    unlicensed: str

    @property
    def allowed(self) -> bool:
        return not REFUSED.search(self.licensed)


def kinds(btf: Btf) -> Iterator[Kind]:
    yield from (Kind(ProgType[name]) for name in PLAIN.split())
    yield Kind(ProgType.SYSCALL, flags=ProgFlag.SLEEPABLE)
    for prog_type, names in ATTACHED.items():
        yield from (Kind(prog_type, AttachType[name]) for name in names.split())
    for prog_type, attach_type, kind, name in TYPED:
        if (btf_id := btf.find(name, kind)) is not None:
            yield Kind(prog_type, attach_type, btf_id)


@pytest.fixture(scope="module")
def answers(raw_kernel: RawKernel, kernel_btf: Btf, kernel_release: tuple[int, int]) -> list[Answer]:
    return [
        Answer(kind, row, kind.complaint(raw_kernel, row, b"GPL"), kind.complaint(raw_kernel, row, b"none"))
        for kind in kinds(kernel_btf)
        for row in all_helpers()
        if row.since <= kernel_release and row.name not in CONFIGURED
    ]


def test_each_type_of_program_may_call_what_the_table_says(
    answers: list[Answer], kernel_release: tuple[int, int]
) -> None:
    kernel = {(answer.kind.prog_type.name, answer.helper.name) for answer in answers if answer.allowed}
    ours = {
        (answer.kind.prog_type.name, answer.helper.name)
        for answer in answers
        if answer.helper.allowed_in(answer.kind.prog_type)
    }
    assert kernel_release > table().measured or kernel - ours == set()
    assert kernel_release < table().measured or ours - kernel - UNASKED == set()


def test_the_kernel_asks_for_the_gpl_where_the_table_does(answers: list[Answer]) -> None:
    asked = [answer for answer in answers if answer.allowed and answer.kind.prog_type is not ProgType.STRUCT_OPS]
    wrong = [
        (answer.kind.prog_type.name, answer.helper.name)
        for answer in asked
        if (LICENCE in answer.unlicensed) != answer.helper.needs_gpl(answer.kind.prog_type)
    ]
    assert wrong == []


def test_helpers_that_may_sleep_are_kept_from_programs_that_may_not(answers: list[Answer]) -> None:
    wrong = [
        (answer.kind.prog_type.name, answer.helper.name)
        for answer in answers
        if answer.allowed and not answer.kind.flags
        if (SLEEPS in answer.licensed) != answer.helper.sleeps
    ]
    assert wrong == []
