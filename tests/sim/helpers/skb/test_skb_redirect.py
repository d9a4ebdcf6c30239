"""Packets sent elsewhere: the verdicts, and what the simulated world notes of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bpflab import TC, Lab, SkBuff
from bpflab.abi.errno import Errno
from bpflab.sim.events import Clone, Redirect
from bpflab.sim.world import World

if TYPE_CHECKING:
    from tests.sim.helpers.skb.conftest import Calls

FRAME = bytes(range(12)) + b"\x08\x06" + bytes(range(100, 140))
INGRESS = 1
LOOPBACK, NOBODY = 1, 99
NEXT_HOP = (2).to_bytes(4, sys.byteorder) + bytes((10, 0, 0, 9)) + bytes(12)


noted = pytest.mark.bpf(backend="sim")
"""The running kernel keeps no notes of where packets went."""


@pytest.fixture
def world(bpf: Lab) -> World:
    return bpf.world


@pytest.mark.parametrize("flags", [0, INGRESS])
@pytest.mark.parametrize("ifindex", [0, LOOPBACK, NOBODY])
def test_a_redirect_gives_its_verdict_whatever_the_device(calls: Calls, ifindex: int, flags: int) -> None:
    assert calls(("redirect", ifindex, flags), packet=FRAME).retval == TC.REDIRECT


@pytest.mark.parametrize("flags", [2, 8, 1 << 16, 1 << 17, 1 << 18, 1 << 63])
def test_a_redirect_with_an_unknown_flag_drops(calls: Calls, flags: int) -> None:
    assert calls(("redirect", LOOPBACK, flags), packet=FRAME).retval == TC.SHOT


@pytest.mark.parametrize("helper", [("redirect_peer", LOOPBACK), ("redirect_neigh", LOOPBACK, None, 0)])
def test_redirects_past_the_device_take_no_flags(calls: Calls, helper: tuple[object, ...]) -> None:
    assert calls((*helper, 0), packet=FRAME).retval == TC.REDIRECT
    assert calls((*helper, INGRESS), packet=FRAME).retval == TC.SHOT


@pytest.mark.parametrize(("size", "verdict"), [(19, TC.SHOT), (20, TC.REDIRECT), (24, TC.REDIRECT)])
def test_a_next_hop_is_given_whole(calls: Calls, size: int, verdict: TC) -> None:
    params = NEXT_HOP.ljust(size, b"\0")[:size]
    assert calls(("redirect_neigh", LOOPBACK, params, size, 0), packet=FRAME).retval == verdict


@pytest.mark.parametrize("flags", [0, INGRESS])
def test_a_copy_is_sent_and_the_packet_stays(calls: Calls, flags: int) -> None:
    outcome = calls(("clone_redirect", LOOPBACK, flags), packet=FRAME)
    assert (outcome.result, outcome.data, outcome.direct) == (0, FRAME, FRAME[:8])


@pytest.mark.parametrize(
    ("ifindex", "flags", "context", "answer"),
    [
        (LOOPBACK, 2, SkBuff(), Errno.EINVAL),
        (LOOPBACK, 1 << 16, SkBuff(), Errno.EINVAL),
        (NOBODY, 0, SkBuff(), Errno.EINVAL),
        (LOOPBACK, 0, SkBuff(gso_size=9), Errno.EBADMSG),
        (NOBODY, 0, SkBuff(gso_size=9), Errno.EBADMSG),
    ],
)
def test_a_copy_that_cannot_be_sent_is_refused(
    calls: Calls, ifindex: int, flags: int, context: SkBuff, answer: Errno
) -> None:
    assert calls(("clone_redirect", ifindex, flags), packet=FRAME, ctx=context).result == -answer


@noted
def test_a_redirect_is_noted_with_the_packet_as_it_is_at_the_verdict(calls: Calls, world: World) -> None:
    calls(("redirect", 7, INGRESS), packet=FRAME)
    assert world.seen(Redirect) == [Redirect("calls", "redirect", 7, flags=INGRESS, packet=FRAME)]


@noted
def test_a_redirect_without_its_verdict_is_not_noted(calls: Calls, world: World) -> None:
    calls(("redirect", 7, 0), ("skb_change_head", 2, 0), packet=FRAME)
    assert world.seen(Redirect) == []


@noted
def test_the_next_hop_is_noted(calls: Calls, world: World) -> None:
    calls(("redirect_neigh", 7, NEXT_HOP, 20, 0), packet=FRAME)
    assert [(event.ifindex, event.next_hop) for event in world.seen(Redirect)] == [(7, "10.0.0.9")]


@noted
def test_a_copy_is_noted_as_the_packet_was_then(calls: Calls, world: World) -> None:
    calls(("clone_redirect", LOOPBACK, 0), ("skb_change_tail", 20, 0), packet=FRAME)
    assert world.seen(Clone) == [Clone("calls", LOOPBACK, 0, FRAME)]


@noted
@pytest.mark.parametrize(("flags", "answer"), [(0, -Errno.ENETDOWN), (INGRESS, 1)])
def test_a_device_that_is_down_takes_no_copy(calls: Calls, world: World, flags: int, answer: int) -> None:
    world.add_interface("off", ifindex=5, up=False)
    assert calls(("clone_redirect", 5, flags), packet=FRAME).result == answer
    assert world.seen(Clone) == []
