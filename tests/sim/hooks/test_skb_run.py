"""Test runs of programs on socket buffers: what goes in, what programs see, what comes out."""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import Lab, SkBuff
from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.abi.insn import Size
from bpflab.asm import B, H, W, exit_, ld_abs, ld_ind, ldx, mov, r0, r1, r6, r7, stx
from bpflab.backend.attr import Attr, AttrValue
from bpflab.sim.skb_context import SK_BUFF

if TYPE_CHECKING:
    from tests.sim.conftest import Pair

    from bpflab.programs.program import Program

TYPES = ("sched_cls", "cgroup_skb", "lwt_xmit", "socket_filter")
MAC = bytes.fromhex("020000000001020000000002")
IPV4 = bytes((0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)) + bytes(20)
FRAME = MAC + b"\x08\x00" + IPV4
CB = SK_BUFF.field("cb").offset
SETTINGS = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Answer = tuple[int, bytes, bytes]


def raw_run(lab: Lab, program: Program, packet: bytes, ctx: bytes | None, values: dict[str, int]) -> Answer | int:
    """Send the command itself; the errno when it is refused."""
    data, out = ctypes.create_string_buffer(4096), ctypes.create_string_buffer(SK_BUFF.size)
    fields: dict[str, AttrValue] = {"prog_fd": program.fileno(), "data_in": packet, "data_size_in": len(packet)}
    fields |= {"data_out": data, "data_size_out": len(data), "repeat": 1}
    if ctx is not None:
        fields |= {"ctx_in": ctx, "ctx_size_in": len(ctx), "ctx_out": out, "ctx_size_out": len(out)}
    attr = Attr(Command.PROG_TEST_RUN, fields | values)
    answer = lab.call.send(Command.PROG_TEST_RUN, attr)
    return (answer, data.raw, out.raw) if answer >= 0 else lab.backend.errno()


@pytest.fixture(scope="module")
def compare(pair: Pair) -> Callable[..., Answer | int]:
    """Give what sends one run to both kernels and asserts that they answer the same."""
    programs = {
        name: [lab.program([mov(r0, 1), exit_()], type=name) for lab in (pair.kernel, pair.sim)] for name in TYPES
    }

    def run(prog_type: str, packet: bytes, ctx: bytes | None = None, **values: int) -> Answer | int:
        kernel, sim = (
            raw_run(lab, program, packet, ctx, values)
            for lab, program in zip((pair.kernel, pair.sim), programs[prog_type], strict=True)
        )
        assert sim == kernel
        return kernel

    return run


@st.composite
def contexts(draw: st.DrawFn) -> bytes:
    """A context of almost any size with some bytes set, mostly in fields that may be."""
    raw = bytearray(draw(st.sampled_from([192, 192, 192, 191, 193, 100, 1, 300])))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw) - 1))
        field = SK_BUFF.field(draw(st.sampled_from([field.name for field in SK_BUFF.settable])))
        at = draw(st.sampled_from([at, *range(field.offset, min(field.end, len(raw)))]))
        raw[at] = draw(st.sampled_from([1, 0x20, 0xFF]))
    return bytes(raw)


@SETTINGS
@given(prog_type=st.sampled_from(TYPES), ctx=st.none() | contexts(), flags=st.sampled_from([0, 0, 0, 1, 2, 4, 8]))
def test_contexts_are_taken_refused_and_given_back_as_the_kernel_does(
    compare: Callable[..., Answer | int], prog_type: str, ctx: bytes | None, flags: int
) -> None:
    compare(prog_type, FRAME, ctx, flags=flags)


@SETTINGS
@given(
    prog_type=st.sampled_from(TYPES),
    size=st.one_of(st.integers(1, 60), st.sampled_from([3711, 3712, 3713, 4000])),
    kind=st.sampled_from([b"\x08\x00", b"\x86\xdd", b"\x08\x06", b"\x81\x00", b"\x00\x20", b"\x00\x00"]),
)
def test_packets_are_taken_by_length_and_protocol_as_the_kernel_does(
    compare: Callable[..., Answer | int], prog_type: str, size: int, kind: bytes
) -> None:
    compare(prog_type, (MAC + kind).ljust(size, b"\x45")[:size], bytes(SK_BUFF.size))


@pytest.mark.parametrize("prog_type", TYPES)
@pytest.mark.parametrize(
    ("values", "answer"),
    [({"cpu": 1}, Errno.EINVAL), ({"batch_size": 1}, Errno.EINVAL), ({"flags": 1 << 31}, Errno.EINVAL)],
)
def test_options_of_other_types_are_refused(
    compare: Callable[..., Answer | int], prog_type: str, values: dict[str, int], answer: Errno
) -> None:
    assert compare(prog_type, FRAME, None, **values) == answer


@pytest.mark.parametrize("wire_len", [1, 39, 40, 41, 53, 54, 0x10000, 0x10001, 0xFFFFFFFF])
@pytest.mark.parametrize("prog_type", TYPES)
def test_a_wire_length_lies_between_the_packets_and_the_longest(
    compare: Callable[..., Answer | int], prog_type: str, wire_len: int
) -> None:
    ctx = bytearray(SK_BUFF.size)
    struct.pack_into("=I", ctx, SK_BUFF.field("wire_len").offset, wire_len)
    answer = compare(prog_type, FRAME, bytes(ctx))
    length = len(FRAME) if prog_type == "sched_cls" else len(IPV4)
    assert (answer == Errno.EINVAL) is not (length <= wire_len <= 0x10000)


@pytest.mark.parametrize(("kind", "header"), [(b"\x08\x00", 20), (b"\x86\xdd", 40)], ids=["IPv4", "IPv6"])
def test_an_ip_packet_has_its_header_whole(bpf: Lab, kind: bytes, header: int) -> None:
    program = bpf.program([mov(r0, 7), exit_()], type="sched_cls")
    assert program.run(MAC + kind + bytes(header)).retval == 7
    assert raw_run(bpf, program, MAC + kind + bytes(header - 1), None, {}) == Errno.EINVAL


def reading(bpf: Lab, field: str, prog_type: str = "sched_cls") -> Program:
    return bpf.program([ldx(W, r0, r1, SK_BUFF.field(field).offset), exit_()], type=prog_type)


@pytest.mark.parametrize(
    ("frame", "protocol"),
    [
        pytest.param(b"\x08\x00" + IPV4, b"\x08\x00", id="IPv4"),
        pytest.param(b"\x81\x00" + bytes(20), b"\x81\x00", id="VLAN"),
        pytest.param(b"\x06\x00" + bytes(20), b"\x06\x00", id="least type"),
        pytest.param(b"\x05\xff" + bytes(20), b"\x00\x04", id="length"),
        pytest.param(b"\x05\xff\xff\xff" + bytes(20), b"\x00\x01", id="length of Novell"),
        pytest.param(b"\x00\x00", b"\x00\x04", id="nothing"),
    ],
)
def test_a_packet_has_the_protocol_of_its_frame(bpf: Lab, frame: bytes, protocol: bytes) -> None:
    assert reading(bpf, "protocol").run(MAC + frame).retval == int.from_bytes(protocol, sys.byteorder)


@pytest.mark.parametrize(
    ("destination", "kind"), [("000000000000", 0), ("020000000001", 3), ("ffffffffffff", 2), ("010000000000", 2)]
)
def test_a_packet_is_for_whom_the_loopback_device_thinks(bpf: Lab, destination: str, kind: int) -> None:
    packet = bytes.fromhex(destination) + FRAME[6:]
    assert reading(bpf, "pkt_type").run(packet).retval == kind


def test_the_wire_length_is_known_only_with_a_context(bpf: Lab) -> None:
    program = reading(bpf, "wire_len")
    assert (program.run(FRAME).retval, program.run(FRAME, SkBuff()).retval) == (0, len(FRAME))


@pytest.mark.parametrize("prog_type", ["lwt_in", "lwt_out", "lwt_xmit", "socket_filter"])
def test_programs_behind_the_mac_header_see_the_packet_without_it_and_give_it_back_empty(
    bpf: Lab, prog_type: str
) -> None:
    result = reading(bpf, "len", prog_type).run(FRAME)
    assert (result.retval, result.data) == (len(IPV4), bytes(14) + IPV4)


LINK, NETWORK = -0x200000, -0x100000
OFFSETS = (
    *(0, 1, 13, 14, 50, 51, 52, 53, 54, 1 << 30, -1, -4, -0x1000),
    *(LINK, LINK + 1, LINK + 50, LINK + 54, LINK - 1),
    *(NETWORK, NETWORK - 1, NETWORK - 14, NETWORK + 36, NETWORK + 38, NETWORK + 40),
)


@pytest.mark.parametrize("prog_type", ["sched_cls", "sched_act", "socket_filter"])
@pytest.mark.parametrize("size", [B, H, W])
def test_legacy_loads_reach_what_they_reach_in_the_kernel(pair: Pair, prog_type: str, size: Size) -> None:
    ends = [stx(W, r6, r0, CB), mov(r0, 1), exit_()]
    for offset in OFFSETS:
        pair.agree([mov(r6, r1), ld_abs(size, offset), *ends], FRAME, SkBuff(), type=prog_type)
        indirect = [mov(r6, r1), mov(r7, offset), ld_ind(size, r7, 0)]
        pair.agree([*indirect, *ends], FRAME, SkBuff(), type=prog_type)
