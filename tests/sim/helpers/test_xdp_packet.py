"""XDP helpers move, measure and copy the packet as the running kernel does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab import XDP, Lab, XdpMd
from bpflab.abi.flags import ProgFlag
from bpflab.asm import DW, Items, add, call, exit_, ld_imm64, ld_map, mov, r0, r1, r2, r3, r4, r6, r7, r10
from bpflab.asm import st as store
from bpflab.sim.backend import SimBackend
from bpflab.sim.events import Redirect

SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZES = st.one_of(st.integers(14, 200), st.integers(3500, 3800), st.sampled_from([4096, 7616, 7617, 11712, 73152]))
LINEAR = 3520
ROOM = 104


def packet(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def deltas(size: int) -> st.SearchStrategy[int]:
    edges = [-257, -256, -217, -216, -215, -8, -4, -1, 0, 1, 4, 256, 257, 575, 576, 4095, 4096]
    return st.one_of(st.sampled_from(edges), st.integers(-300, 300), st.integers(-20, 20).map(lambda d: size - 14 + d))


@pytest.mark.parametrize("helper", ["xdp_adjust_head", "xdp_adjust_meta", "xdp_adjust_tail"])
@SETTINGS
@given(data=st.data(), size=SIZES, meta=st.sampled_from([0, 4, 32, 216]))
def test_an_end_of_the_packet_moves_alike(
    same: Callable[..., Any], helper: str, data: st.DataObject, size: int, meta: int
) -> None:
    delta = data.draw(deltas(size))
    given_ctx = XdpMd(data=meta) if meta <= size - 14 else XdpMd()
    code = [mov(r2, delta), call(helper), exit_()]
    same(code, packet(size), given_ctx, type="xdp", flags=ProgFlag.XDP_HAS_FRAGS)


BORDERS = {
    "xdp_adjust_head": (-217, -216, -215, -209, -208, -207, 49, 50, 51),
    "xdp_adjust_meta": (-220, -216, -215, -212, -208, -4, 0, 4, 8, 12),
    "xdp_adjust_tail": (-51, -50, -49, 3455, 3456, 3457, 3463, 3464, 3465),
}
"""Where the answer of a helper changes for a packet of 64 bytes, with 0 and 8 bytes of metadata, and its neighbours."""


@pytest.mark.parametrize("meta", [0, 8])
@pytest.mark.parametrize(("helper", "delta"), [(helper, each) for helper, some in BORDERS.items() for each in some])
def test_a_move_is_refused_at_the_same_border(same: Callable[..., Any], helper: str, delta: int, meta: int) -> None:
    same([mov(r2, delta), call(helper), exit_()], packet(64), XdpMd(data=meta), type="xdp")


MOVED = """
    r6 = r1
    r2 = {delta}
    call {helper}
    r0 = *(u32 *)(r6 + 0)        ; the packet, as the context says now
    r1 = *(u32 *)(r6 + 4)
    r2 = r0
    r2 += 14
    if r2 > r1 goto out
    *(u8 *)(r0 + 0) = 0x5a
    out:
    r7 = *(u32 *)(r6 + 8)
    r1 -= r0
    r0 -= r7
    r0 <<= 16
    r0 |= r1
    exit
"""


@pytest.mark.parametrize("delta", [-20, 20, -4, 0])
@pytest.mark.parametrize("helper", ["xdp_adjust_head", "xdp_adjust_meta", "xdp_adjust_tail"])
def test_the_context_shows_a_move_at_once(same: Callable[..., Any], helper: str, delta: int) -> None:
    same(MOVED.format(helper=helper, delta=delta), packet(64), XdpMd(data=8), type="xdp")


@pytest.mark.parametrize("helper", ["xdp_adjust_head", "xdp_adjust_tail"])
@SETTINGS
@given(size=st.integers(100, 4000), steps=st.lists(st.integers(-60, 60), min_size=2, max_size=5))
def test_repeated_moves_add_up_alike(same: Callable[..., Any], helper: str, size: int, steps: list[int]) -> None:
    code = [mov(r6, r1), mov(r7, 0)]
    for delta in steps:
        code += [mov(r1, r6), mov(r2, delta), call(helper), add(r7, r0)]
    same([*code, mov(r0, r7), exit_()], packet(size), type="xdp", flags=ProgFlag.XDP_HAS_FRAGS)


def filled_stack() -> Items:
    return [store(DW, r10, -8 * slot, slot * 7 + 1) for slot in range(1, ROOM // 8 + 1)]


def copying(helper: str, offset: int, length: int) -> Items:
    """Copy between packet and stack, and then the stack to the start of the packet, so that it is seen."""
    return [
        mov(r6, r1),
        *filled_stack(),
        ld_imm64(r2, offset & 0xFFFFFFFF),
        *[mov(r3, r10), add(r3, -ROOM), mov(r4, length), call(helper), mov(r7, r0)],
        *[mov(r1, r6), mov(r2, 0), mov(r3, r10), add(r3, -ROOM), mov(r4, 60), call("xdp_store_bytes")],
        *[mov(r0, r7), exit_()],
    ]


@pytest.mark.parametrize("helper", ["xdp_load_bytes", "xdp_store_bytes"])
@SETTINGS
@given(data=st.data(), size=st.one_of(st.integers(60, 200), st.integers(LINEAR - 50, LINEAR + 200), st.just(9000)))
def test_bytes_are_copied_alike_over_the_borders_of_fragments(
    same: Callable[..., Any], helper: str, data: st.DataObject, size: int
) -> None:
    edges = st.sampled_from([0, LINEAR - 1, LINEAR, 0xFFFF, 0x10000, 0x7FFFFFFF, -1])
    offset = data.draw(st.one_of(edges, st.integers(-ROOM, 8).map(lambda d: size + d), st.integers(0, 200)))
    length = data.draw(st.integers(1, ROOM))
    same(copying(helper, offset, length), packet(size), type="xdp", flags=ProgFlag.XDP_HAS_FRAGS)


@pytest.mark.parametrize("size", [14, LINEAR, LINEAR + 1, 20_000])
def test_the_length_counts_fragments(same: Callable[..., Any], size: int) -> None:
    assert same([call("xdp_get_buff_len"), exit_()], packet(size), type="xdp", flags=ProgFlag.XDP_HAS_FRAGS)[0] == size


@pytest.mark.parametrize("flags", [0, 1, 2, 8, 1 << 33])
def test_a_redirect_takes_no_flags(same: Callable[..., Any], flags: int) -> None:
    same([mov(r1, 5), ld_imm64(r2, flags), call("redirect"), exit_()], packet(64), type="xdp")


@pytest.mark.parametrize("kind", ["DEVMAP", "DEVMAP_HASH", "CPUMAP", "XSKMAP"])
@SETTINGS
@given(key=st.sampled_from([0, 1, 7, 8, 1 << 32, (1 << 32) + 1]), flags=st.one_of(st.integers(0, 33), st.just(1 << 33)))
def test_a_redirect_by_map_answers_alike(pair: Any, kind: str, key: int, flags: int) -> None:
    maps = pair.maps(kind, max_entries=8, name="targets")
    try:
        for each in maps if kind != "XSKMAP" else ():
            each[1] = 1
        code = [ld_map(r1, "targets"), ld_imm64(r2, key), ld_imm64(r3, flags), call("redirect_map"), exit_()]
        pair.agree(code, packet(64), type="xdp")
    finally:
        for each in maps:
            each.close()


def test_a_redirect_is_noted_with_its_packet() -> None:
    with Lab("sim") as lab:
        lab.map("DEVMAP", max_entries=4, name="ports")[2] = 1
        code = [ld_map(r1, "ports"), mov(r2, 2), mov(r3, 0), call("redirect_map"), exit_()]
        result = lab.program(code, type="xdp", name="sender").run(packet(64))
        assert isinstance(lab.backend, SimBackend)
        assert result.action is XDP.REDIRECT
        noted = lab.backend.kernel.world.seen(Redirect)
        assert noted == [Redirect("sender", "redirect_map", map="ports", index=2, packet=packet(64))]
