"""The verifier wants in each register of a call what the table says it wants.

Calls are built argument by argument: what stands before the one that is asked about is right, and that one is
wrong in a known way. Only what can be built from the context, a map, the stack and numbers is asked about.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from bpflab.abi.attach_types import AttachType
from bpflab.abi.flags import MapFlag, ProgFlag
from bpflab.abi.helpers import MEMORY_KINDS, SIZE_KINDS, Argument, ArgumentKind, Helper, all_helpers, table
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from tests.abi.conftest import RawKernel

HOSTS: Final = {
    ProgType.SCHED_CLS: 0,
    ProgType.XDP: 0,
    ProgType.PERF_EVENT: 0,
    ProgType.CGROUP_SKB: 0,
    ProgType.LWT_XMIT: 0,
    ProgType.LWT_SEG6LOCAL: 0,
    ProgType.SK_MSG: AttachType.SK_MSG_VERDICT,
    ProgType.SK_SKB: AttachType.SK_SKB_STREAM_VERDICT,
    ProgType.SOCK_OPS: AttachType.CGROUP_SOCK_OPS,
    ProgType.CGROUP_SOCK: AttachType.CGROUP_INET_SOCK_CREATE,
    ProgType.CGROUP_SOCK_ADDR: AttachType.CGROUP_INET4_CONNECT,
    ProgType.CGROUP_SOCKOPT: AttachType.CGROUP_SETSOCKOPT,
    ProgType.CGROUP_SYSCTL: AttachType.CGROUP_SYSCTL,
    ProgType.SK_LOOKUP: AttachType.SK_LOOKUP,
    ProgType.SK_REUSEPORT: AttachType.SK_REUSEPORT_SELECT,
    ProgType.SYSCALL: 0,
}
"""Types of program that calls are put into, with their attach type; between them they may call most helpers."""

SLEEPABLE: Final = {ProgType.SYSCALL}
"""Those among them that may sleep."""
CONFIGURED: Final = {"override_return", "probe_write_user"}
"""Helpers that need CONFIG_BPF_KPROBE_OVERRIDE, and a kernel without lockdown."""

KEY_SIZE, VALUE_SIZE = 8, 16
STACK: Final = 64
"""Bytes below the frame pointer that are set to zero before the call."""

K: Final = ArgumentKind
ANY_MEMORY: Final = "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_"
ANY_SOCKET: Final = "sock_common, sock, tcp_sock, xdp_sock"
ANY_OBJECT: Final = "ptr_, trusted_ptr_, rcu_ptr_"
EXPECTED: Final = {
    K.CTX: "ctx",
    K.MAP_PTR: "map_ptr",
    **dict.fromkeys((K.MAP_KEY, K.MAP_VALUE, K.MAP_VALUE_UNINIT, *MEMORY_KINDS), ANY_MEMORY),
    K.ALLOC_MEM: "ringbuf_mem",
    K.CALLBACK: "func",
    K.CALLBACK_CTX: "fp",
    K.CONST_STR: "map_value",
    K.DYNPTR: "fp, dynptr_ptr",
    K.DYNPTR_UNINIT: "fp, dynptr_ptr",
    K.SPIN_LOCK: "map_value, ptr_",
    K.TIMER: "map_value",
    K.KPTR_DEST: "map_value, ptr_",
    K.SOCK_COMMON: ANY_SOCKET,
    K.SOCKET: "sock",
    K.BTF_SOCK_COMMON: f"{ANY_SOCKET}, ptr_, trusted_ptr_",
    K.BTF_PTR: ANY_OBJECT,
    K.PERCPU_BTF: "percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_",
}
"""What the verifier says it expected when a register holds a number, since Linux 6.18."""

COMPLAINT: Final = re.compile(r"R(\d) type=scalar expected=(.+?)\s*$")


def insn(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    return struct.pack("<BBhi", code, src << 4 | dst, off, imm)


def number(register: int, value: int) -> bytes:
    return insn(0xB7, register, imm=value)


def stack(register: int, offset: int) -> bytes:
    return insn(0xBF, register, 10) + insn(0x07, register, imm=offset)


def map_value(register: int, descriptor: int) -> bytes:
    return insn(0x18, register, 2, imm=descriptor) + insn(0)


def nothing(register: int) -> bytes:
    del register
    return b""


CONTEXT_TO_R6: Final = insn(0xBF, 6, 1)
ZERO_STACK: Final = b"".join(insn(0x7A, 10, off=-offset) for offset in range(8, STACK + 1, 8))
RETURN: Final = number(0, 0) + insn(0x95)


class Call(NamedTuple):
    """A helper in a type of program, whose arguments up to a position can be built."""

    helper: Helper
    prog_type: ProgType
    position: int

    @property
    def argument(self) -> Argument:
        return self.helper.arguments_in(self.prog_type)[self.position]

    def __str__(self) -> str:
        return f"{self.prog_type.name}-{self.helper.name}-{self.argument.name}"


class Bench:
    """Loads calls; keeps a hash map for map arguments, and a map that programs may not write."""

    def __init__(self, kernel: RawKernel) -> None:
        self.kernel = kernel
        self.map = kernel.create_map(MapType.HASH, KEY_SIZE, VALUE_SIZE, 1)
        self.read_only = kernel.create_map(MapType.ARRAY, 4, STACK, 1, MapFlag.RDONLY_PROG)

    def complaint(self, made: Call, wrong: Callable[[int], bytes]) -> str:
        arguments = made.helper.arguments_in(made.prog_type)
        before = [self._right(argument, n + 1) for n, argument in enumerate(arguments[: made.position])]
        after = self._sizes(arguments[made.position + 1 :], made.position + 2)
        code = [CONTEXT_TO_R6, ZERO_STACK, *before, wrong(made.position + 1), after]
        code += [insn(0x85, imm=made.helper.id), RETURN]
        return self.kernel.complaint(
            made.prog_type,
            b"".join(code),
            attach_type=HOSTS[made.prog_type],
            flags=ProgFlag.SLEEPABLE if made.prog_type in SLEEPABLE else 0,
        )

    def _right(self, argument: Argument, register: int) -> bytes:
        code = _right_without_map(argument, register)
        return insn(0x18, register, 1, imm=self.map) + insn(0) if argument.kind is K.MAP_PTR else code or b""

    def _sizes(self, arguments: tuple[Argument, ...], register: int) -> bytes:
        """The size that belongs to the memory before it; other registers stay as they are."""
        if arguments and arguments[0].kind in SIZE_KINDS:
            return number(register, 8)
        return b""


def _right_without_map(argument: Argument, register: int) -> bytes | None:
    """Code that puts a fitting value into a register, None for a kind that this test cannot make."""
    if argument.kind is K.CTX:
        return insn(0xBF, register, 6)
    if argument.kind in {K.SCALAR, K.UNCHECKED, K.ALLOC_SIZE} | SIZE_KINDS:
        return number(register, 8)
    if argument.kind in MEMORY_KINDS | {K.MAP_KEY, K.MAP_VALUE, K.MAP_VALUE_UNINIT}:
        return stack(register, -STACK)
    return None


def calls() -> Iterator[Call]:
    for row in all_helpers():
        hosts = SLEEPABLE if row.sleeps else HOSTS.keys()
        for prog_type in row.programs & hosts if row.name not in CONFIGURED else ():
            for position, argument in enumerate(row.arguments_in(prog_type)):
                yield Call(row, prog_type, position)
                if argument.kind is not K.MAP_PTR and _right_without_map(argument, 1) is None:
                    break


@pytest.fixture(scope="module")
def bench(raw_kernel: RawKernel, kernel_release: tuple[int, int]) -> Bench:
    if kernel_release < table().measured:
        pytest.skip("needs a kernel whose verifier speaks as that of the table's does, {}.{}".format(*table().measured))
    return Bench(raw_kernel)


def checked(bench: Bench, wanted: Callable[[Argument], bool], wrong: Callable[[int], bytes]) -> dict[str, str]:
    """Make the argument of each call wrong; give the verifier's words by call, where it got to the argument."""
    asked = (made for made in calls() if wanted(made.argument))
    return {str(made): bench.complaint(made, wrong) for made in asked}


def test_a_number_in_the_place_of_a_pointer_is_refused_for_the_kinds_of_pointer_that_fit(bench: Bench) -> None:
    expected = {
        str(made): (str(made.position + 1), EXPECTED[made.argument.kind])
        for made in calls()
        if made.argument.kind in EXPECTED
    }
    said = checked(bench, lambda argument: argument.kind in EXPECTED, lambda register: number(register, 1))
    matches = {name: COMPLAINT.search(words) for name, words in said.items()}
    assert {name: match.groups() if match else said[name] for name, match in matches.items()} == expected


def test_a_number_is_fine_where_the_table_asks_for_no_pointer(bench: Bench) -> None:
    said = checked(bench, lambda argument: argument.kind not in EXPECTED, lambda register: number(register, 1))
    positions = {str(made): str(made.position + 1) for made in calls()}
    matches = {name: COMPLAINT.search(words) for name, words in said.items()}
    assert {name for name, match in matches.items() if match and match[1] == positions[name]} == set()


def test_a_register_must_be_initialised_unless_it_is_unchecked(bench: Bench) -> None:
    later = [made for made in calls() if made.position and made.argument.kind not in EXPECTED]
    refused = {str(made) for made in later if bench.complaint(made, nothing) == f"R{made.position + 1} !read_ok"}
    assert refused == {str(made) for made in later if made.argument.kind is not K.UNCHECKED}


def test_a_size_of_zero_is_refused_unless_the_kind_allows_it(bench: Bench) -> None:
    said = checked(bench, lambda argument: argument.kind in SIZE_KINDS, lambda register: number(register, 0))
    refused = {name for name, words in said.items() if "invalid zero-sized read" in words}
    assert refused == {str(made) for made in calls() if made.argument.kind is K.SIZE}


def test_memory_that_a_helper_writes_may_not_be_read_only(bench: Bench) -> None:
    said = checked(
        bench, lambda argument: argument.kind in MEMORY_KINDS, lambda register: map_value(register, bench.read_only)
    )
    refused = {name for name, words in said.items() if "write into map forbidden" in words}
    writes = {K.MEM_WRITE, K.MEM_UNINIT}
    assert refused == {str(made) for made in calls() if made.argument.kind in writes}
