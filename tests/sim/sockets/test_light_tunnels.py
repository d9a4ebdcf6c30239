"""Headers that programs put around packets on their route, and segments that they work on."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpflab import Lab, SkBuff
from bpflab.abi.errno import Errno
from bpflab.abi.verdicts import LWT
from bpflab.sim.backend import SimBackend
from bpflab.sim.world import World

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HOST = bytes(12)


@pytest.fixture
def sim() -> Iterator[Lab]:
    with Lab("sim") as lab:
        yield lab


def world_of(lab: Lab) -> World:
    assert isinstance(lab.backend, SimBackend)
    return lab.backend.kernel.world


def stacked(data: bytes) -> str:
    """Write bytes to the stack, from r10 - 512 on (at most 320)."""
    padded = data.ljust(-(-len(data) // 4) * 4, b"\0")
    words = struct.unpack(f"=I{len(padded) // 4 - 1}I" if padded else "=", padded)
    return "".join(f"r2 = {word} ll\n*(u32 *)(r10 - {320 - 4 * at}) = r2\n" for at, word in enumerate(words))


def push(data: bytes, mode: int) -> str:
    call = f"r1 = r6\nr2 = {mode}\nr3 = r10\nr3 += -320\nr4 = {len(data)}\ncall bpf_lwt_push_encap\n"
    return f"r6 = r1\n{stacked(data)}{call}r7 = r0\nr8 = *(u32 *)(r6 + 0)\nr8 <<= 12\nr0 = r7\nr0 ^= r8\nexit"


@SETTINGS
@given(
    first=st.sampled_from([0x45, 0x46, 0x4F, 0x60, 0x50, 0x30]),
    size=st.sampled_from([4, 16, 20, 24, 36, 40, 48, 60, 256, 260]),
    check=st.sampled_from([0, 0x1234]),
    rest=st.binary(min_size=8, max_size=8),
    mode=st.sampled_from([2, 2, 2, 3, 77]),
)
@example(first=0x45, size=20, check=0, rest=bytes(8), mode=2)
@example(first=0x45, size=19 + 5, check=7, rest=bytes(8), mode=2)
@example(first=0x60, size=40, check=0, rest=bytes(8), mode=2)
def test_an_ip_header_is_put_around_a_packet_alike(
    pair: Any, first: int, *, size: int, check: int, rest: bytes, mode: int
) -> None:
    header = (bytes([first]) + bytes(9) + struct.pack("!H", check) + rest + bytes(range(1, 240)) * 2)[:size]
    pair.agree(push(header, mode), HOST + b"\x08\0" + b"\x45" + bytes(range(60)), SkBuff(mark=1), type="lwt_in")


def segment_header(segments: list[str], left: int, options: bytes = b"") -> bytes:
    listed = b"".join(ipaddress.IPv6Address(each).packed for each in segments)
    units = (len(listed) + len(options)) // 8
    return struct.pack("!BBBBBBH", 59, units, 4, left, len(segments) - 1, 0, 0) + listed + options


def ipv6(payload: bytes, following: int = 59) -> bytes:
    ends = ipaddress.IPv6Address("fc00::1").packed + ipaddress.IPv6Address("fc00::2").packed
    return b"\x60\x00\x00\x00" + struct.pack("!HBB", len(payload), following, 33) + ends + payload


SEGMENTS = ["fc00::a", "fc00::b", "fc00::c"]


def test_a_segment_header_is_put_around_a_packet(sim: Lab) -> None:
    world = world_of(sim)
    world.add_route("fc00::/16", world.add_interface("eth0"), source="fc00::99")
    header = segment_header(SEGMENTS, 2)
    inner = ipv6(b"payload!")
    program = sim.program(push(header, 0).replace("r0 ^= r8", "r8 = 0"), type="lwt_in")
    result = program.run(HOST + b"\x86\xdd" + inner)
    out = result.data[14:]
    assert result.retval == 0
    assert (out[6], out[7], int.from_bytes(out[4:6], "big")) == (43, 33, len(header) + len(inner))
    assert [str(ipaddress.IPv6Address(out[at : at + 16])) for at in (8, 24)] == ["fc00::99", "fc00::c"]
    assert out[40:] == b"\x29" + header[1:] + inner


def test_a_segment_header_is_put_into_a_packet(sim: Lab) -> None:
    world = world_of(sim)
    world.add_route("fc00::/16", world.add_interface("eth0"))
    header = segment_header(["::", "fc00::b"], 1)
    program = sim.program(push(header, 1).replace("r0 ^= r8", "r8 = 0"), type="lwt_in")
    result = program.run(HOST + b"\x86\xdd" + ipv6(b"payload!"))
    out = result.data[14:]
    assert (result.retval, out[6], out[40], out[-8:]) == (0, 43, 59, b"payload!")
    assert str(ipaddress.IPv6Address(out[24:40])) == "fc00::b"
    assert str(ipaddress.IPv6Address(out[48:64])) == "fc00::2"


def test_a_header_that_leads_nowhere_is_told(sim: Lab) -> None:
    code = push(segment_header(SEGMENTS, 2), 0).replace("r0 ^= r8", "r8 = 0")
    assert sim.program(code, type="lwt_in").run(HOST + b"\x86\xdd" + ipv6(b"")).retval == (1 << 32) - Errno.ENETUNREACH


@pytest.mark.parametrize(
    "broken", [b"\1", segment_header(SEGMENTS, 3), segment_header(SEGMENTS, 1, b"\1\x7f" + bytes(6)), bytes(24)]
)
def test_what_is_no_segment_header_is_refused(sim: Lab, broken: bytes) -> None:
    code = push(broken, 0).replace("r0 ^= r8", "r8 = 0")
    assert sim.program(code, type="lwt_in").run(HOST + b"\x86\xdd" + ipv6(b"")).retval == (1 << 32) - Errno.EINVAL


def at_segment(sim: Lab, code: str, left: int = 2, options: bytes = b"") -> Any:
    packet = HOST + b"\x86\xdd" + ipv6(segment_header(SEGMENTS, left, options) + b"payload!", 43)
    return sim.program(f"r6 = r1\n{code}\nexit", type="lwt_seg6local").run(packet)


def test_an_endpoint_goes_on_to_the_next_segment(sim: Lab) -> None:
    result = at_segment(sim, "r0 = 0")
    assert result.retval == LWT.OK
    assert str(ipaddress.IPv6Address(result.data[14 + 24 : 14 + 40])) == "fc00::b"
    assert result.data[14 + 40 + 3] == 1


def test_a_packet_at_its_last_segment_is_dropped_unseen(sim: Lab) -> None:
    assert at_segment(sim, "r0 = 0", left=0).retval == LWT.DROP


STORE = (
    "r2 = 0x0700000000000000 ll\nr2 = be64 r2\n*(u64 *)(r10 - 8) = r2\nr1 = r6\n"
    "r2 = {at}\nr3 = r10\nr3 += -8\nr4 = {size}\ncall bpf_lwt_seg6_store_bytes"
)


@pytest.mark.parametrize(
    ("at", "size", "errno"),
    [(45, 1, 0), (46, 2, 0), (44, 1, Errno.EFAULT), (48, 8, Errno.EFAULT), (47, 2, Errno.EFAULT)],
)
def test_a_program_writes_flags_and_tag_alone(sim: Lab, at: int, size: int, errno: int) -> None:
    result = at_segment(sim, STORE.format(at=at, size=size))
    assert result.retval == ((1 << 32) - errno if errno else 0)
    assert (result.data[14 + at] == 7) == (not errno)


ROOM = "r1 = r6\nr2 = {at}\nr3 = {delta}\ncall bpf_lwt_seg6_adjust_srh\n"


def test_a_program_makes_room_for_options(sim: Lab) -> None:
    options_at = 40 + 8 + 48
    code = ROOM.format(at=options_at, delta=8) + "if r0 != 0 goto e\n" + STORE.format(at=options_at, size=8) + "\ne:\n"
    result = at_segment(sim, code.replace("r2 = 0x0700000000000000 ll", "r2 = 0x0406000000000000 ll"))
    assert result.retval == LWT.OK
    assert result.data[14 + 40 + 1] == 7
    assert int.from_bytes(result.data[14 + 4 : 14 + 6], "big") == 8 + 48 + 8 + 8


def test_a_header_left_broken_drops_the_packet(sim: Lab) -> None:
    assert at_segment(sim, ROOM.format(at=96, delta=4) + "r0 = 0").retval == LWT.DROP
    assert at_segment(sim, ROOM.format(at=50, delta=8)).retval == (1 << 32) - Errno.EFAULT


ACTION = (
    "r2 = {param}\n*(u32 *)(r10 - 8) = r2\n"
    "r1 = r6\nr2 = {action}\nr3 = r10\nr3 += -8\nr4 = {size}\ncall bpf_lwt_seg6_action"
)


@pytest.mark.parametrize(("action", "size", "errno"), [(3, 4, 0), (3, 2, 22), (1, 4, 22), (2, 4, 22), (7, 4, 74)])
def test_an_action_is_done_or_refused(sim: Lab, action: int, size: int, errno: int) -> None:
    world = world_of(sim)
    world.add_route("fc00::/16", world.add_interface("eth0"))
    result = at_segment(sim, ACTION.format(param=254, action=action, size=size))
    assert result.retval == ((1 << 32) - errno if errno else 0)
