"""What a run takes: the words before the call agree with the answer of the kernel."""

from __future__ import annotations

import ctypes
import struct
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import FlowKeys, Lab, RawContext, SkBuff, SkLookup, XdpMd
from bpflab.abi.attach_types import AttachType
from bpflab.abi.commands import Command
from bpflab.abi.flags import ProgFlag, RunFlag
from bpflab.abi.prog_types import ProgType
from bpflab.abi.run_rules import RULES
from bpflab.asm import exit_, mov, r0
from bpflab.backend.attr import Attr, AttrValue
from bpflab.errors import ArgumentError, CannotRunError, InputError, SyscallError
from bpflab.programs.inputs import context_bytes
from bpflab.programs.program import Program

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder

PACKET = bytes(64)
PACKET_TYPES = ["xdp", "sched_cls", "socket_filter", "cgroup_skb", "lwt_xmit"]
EINVAL = 22


def loaded(bpf: Lab, prog_type: str) -> Program:
    flags = ProgFlag.SLEEPABLE if prog_type == "syscall" else 0
    attach_type = AttachType.SK_LOOKUP if prog_type == "sk_lookup" else 0
    return bpf.program([mov(r0, 1), exit_()], type=prog_type, name="one", flags=flags, attach_type=attach_type)


def answer_to(bpf: Lab, program: Program, packet: bytes) -> int:
    room = ctypes.create_string_buffer(1 << 17)
    values: dict[str, AttrValue] = {"prog_fd": program.fileno(), "data_in": packet, "data_size_in": len(packet)}
    values |= {"data_out": room, "data_size_out": len(room), "repeat": 1}
    attr = Attr(Command.PROG_TEST_RUN, values)
    return 0 if bpf.call.send(Command.PROG_TEST_RUN, attr) >= 0 else bpf.backend.errno()


@pytest.mark.parametrize("prog_type", PACKET_TYPES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(size=st.one_of(st.integers(1, 100), st.integers(3700, 3720)))
def test_a_packet_is_refused_in_words_exactly_when_the_kernel_refuses_it(bpf: Lab, prog_type: str, size: int) -> None:
    program = loaded(bpf, prog_type)
    rule = RULES[ProgType[prog_type.upper()]]
    allowed = rule.min_data <= size <= rule.max_data
    assert (answer_to(bpf, program, bytes(size)) == 0) is allowed
    if not allowed:
        with pytest.raises(InputError, match=f"{size} bytes"):
            program.run(bytes(size))


NUMBERS = st.integers(0, 2**32 - 1)


@given(
    words=st.lists(NUMBERS, min_size=6, max_size=6),
    meta=st.integers(0, 54).map(lambda words: 4 * words),
    size=st.integers(230, 5000),
    order=st.sampled_from(["little", "big"]),
)
def test_an_xdp_context_goes_in_with_the_end_of_its_packet_and_with_what_can_be_set(
    words: list[int], meta: int, size: int, order: ByteOrder
) -> None:
    words[0], words[3] = meta, max(words[3], 1)
    code = "<6I" if order == "little" else ">6I"
    came_out = XdpMd.from_bytes(struct.pack(code, *words), order)
    given_ = XdpMd(data=meta, ingress_ifindex=words[3], rx_queue_index=words[4])
    expected = struct.pack(code, meta, size, 0, words[3], words[4], 0)
    for ctx in (came_out, given_):
        assert context_bytes(ProgType.XDP, RULES[ProgType.XDP], ctx, size, order) == expected


SKB_TYPES = ["sched_cls", "sched_act", "socket_filter", "cgroup_skb", "lwt_in", "lwt_out", "lwt_xmit"]
WHOLE = {0x0800: 34, 0x86DD: 54, 0x0806: 14, 0x8100: 14}


@pytest.mark.bpf(kernel="6.18")
@pytest.mark.parametrize("prog_type", [*SKB_TYPES, "xdp", "flow_dissector"])
@pytest.mark.parametrize("ether_type", WHOLE)
def test_an_ip_header_that_is_not_whole_is_refused_in_words_where_the_kernel_refuses_it(
    bpf: Lab, prog_type: str, ether_type: int
) -> None:
    program = loaded(bpf, prog_type)
    least = WHOLE[ether_type] if prog_type in SKB_TYPES else 14
    for size in (14, 15, 33, 34, 53, 54):
        packet = (bytes(12) + ether_type.to_bytes(2) + bytes(60))[:size]
        assert answer_to(bpf, program, packet) == (EINVAL if size < least else 0)
        for run in (
            program.run,
            lambda data, run=program.run: run(data, repeat=2),
            lambda data: program.run_many([data]),
        ):
            with pytest.raises(InputError, match=told_of(size, least)) if size < least else nullcontext():
                run(packet)


@pytest.mark.bpf(kernel="6.18")
def test_an_input_that_the_kernel_refused_keeps_the_facts_of_its_answer(bpf: Lab) -> None:
    with pytest.raises(SyscallError) as caught:
        loaded(bpf, "sched_cls").run(bytes(12) + b"\x08\x00" + bytes(19))
    assert (caught.value.errno, caught.value.failure.arguments["data_size_in"]) == (EINVAL, 33)


def told_of(size: int, least: int) -> str:
    name = {34: "IPv4", 54: "IPv6"}.get(least)
    return (
        f"The packet has {size} bytes, and its Ethernet type says {name}; an? .* whole {name} header, at least {least}"
    )


@pytest.mark.parametrize("size", [14, 3520, 3521, 8192, 70_000])
def test_what_goes_in_comes_out(bpf: Lab, size: int) -> None:
    packet = bytes(range(256)) * (size // 256 + 1)
    assert loaded(bpf, "xdp").run(packet[:size]).data == packet[:size]


@pytest.mark.parametrize(
    ("prog_type", "arguments", "said"),
    [
        ("xdp", {"ctx": SkBuff(mark=1)}, "take XdpMd"),
        ("sched_cls", {"ctx": XdpMd()}, "take SkBuff"),
        ("xdp", {"repeat": 0}, "positive count"),
        ("xdp", {"cpu": 1}, "RAW_TRACEPOINT"),
        ("xdp", {"batch_size": 2}, "XDP_LIVE_FRAMES"),
        ("xdp", {"flags": 1}, "XDP_LIVE_FRAMES"),
        ("sched_cls", {"flags": RunFlag.XDP_LIVE_FRAMES}, "SKB_CHECKSUM_COMPLETE"),
        ("xdp", {"ctx": XdpMd(data=60)}, "leaves an Ethernet header"),
        ("xdp", {"ctx": XdpMd(data=3)}, "multiple of 4"),
        ("xdp", {"ctx": XdpMd(rx_queue_index=1)}, "needs ingress_ifindex"),
        ("raw_tracepoint", {}, "take no packet"),
        ("syscall", {}, "take no packet"),
    ],
)
def test_a_wrong_input_is_explained(bpf: Lab, prog_type: str, arguments: dict[str, object], said: str) -> None:
    program = loaded(bpf, prog_type)
    with pytest.raises(InputError, match=said):
        program.run(PACKET, **arguments)  # type: ignore[arg-type]  # wrong on purpose


def test_a_context_too_long_is_explained(bpf: Lab) -> None:
    with pytest.raises(InputError, match="at most 96"):
        loaded(bpf, "raw_tracepoint").run(ctx=RawContext(bytes(97)))


def test_a_context_that_is_needed_is_asked_for_by_name(bpf: Lab) -> None:
    with pytest.raises(InputError, match=r"ctx=SkLookup\(\.\.\.\)"):
        loaded(bpf, "sk_lookup").run()


@pytest.mark.bpf(backend="kernel")
def test_a_type_that_cannot_be_run_says_what_to_do_instead(bpf: Lab) -> None:
    program = bpf.program([mov(r0, 1), exit_()], type="lwt_seg6local", name="route")
    with pytest.raises(CannotRunError, match="send a packet over it"):
        program.run(PACKET)


@pytest.mark.parametrize("packet", ["text", 5, None, [1, 2]])
def test_something_that_is_no_packet_is_refused(bpf: Lab, packet: object) -> None:
    with pytest.raises(InputError, match=type(packet).__name__):
        loaded(bpf, "xdp").run(packet)


@pytest.mark.parametrize(
    ("context", "field", "said"),
    [
        (XdpMd, {"egress_ifindex": 1}, "cannot set egress_ifindex"),
        (XdpMd, {"ingres_ifindex": 1}, "did you mean ingress_ifindex"),
        (SkBuff, {"len": 5}, "cannot set len"),
        (SkBuff, {"mark": 1 << 32}, "unsigned"),
        (SkBuff, {"mark": -1}, "unsigned"),
        (SkBuff, {"cb": (1, 2)}, "5 integers"),
        (FlowKeys, {"nhoff": 14}, "cannot set nhoff"),
        (SkLookup, {"ingress_ifindex": 14}, "cannot set ingress_ifindex"),
    ],
)
def test_a_field_that_a_run_cannot_set_is_refused(context: type[XdpMd], field: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        context(**field)


@pytest.mark.parametrize("code", [b"", b"1234567", 5])
def test_code_that_is_no_program_is_refused(bpf: Lab, code: object) -> None:
    with pytest.raises(ArgumentError):
        bpf.program(code, type="xdp")
