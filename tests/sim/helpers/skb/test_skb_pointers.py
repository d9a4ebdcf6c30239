"""Pointers into a packet, before and after helpers that may have moved it."""

from __future__ import annotations

import pytest

from bpflab import Lab
from bpflab.abi.context import layout
from bpflab.abi.helpers import helper
from bpflab.asm import B, W, add, call, exit_, jgt, label, ldx, mov, r0, r1, r2, r3, r4, r5, r6, r7, r8, st
from bpflab.programs.verifier import VerifierError

SK_BUFF = layout("__sk_buff")
DATA, END = (SK_BUFF.field(name).offset for name in ("data", "data_end"))
FRAME = bytes(range(12)) + b"\x08\x06" + bytes(range(100, 140))
MOVING = (
    *("skb_pull_data", "skb_change_head", "skb_change_tail", "skb_change_proto", "skb_adjust_room"),
    *("skb_vlan_push", "skb_vlan_pop", "clone_redirect", "l3_csum_replace", "l4_csum_replace"),
)
STAYING = (
    "skb_change_type",
    "set_hash",
    "set_hash_invalid",
    "get_hash_recalc",
    "csum_update",
    "csum_level",
    "redirect",
)


def reach(size: int) -> list[object]:
    """Let r7 point to the packet, whose first bytes are there; or end."""
    reads: list[object] = [ldx(W, r7, r6, DATA), ldx(W, r8, r6, END), mov(r2, r7), add(r2, size)]
    return [*reads, mov(r0, 2), jgt(r2, r8, "out")]


def called(name: str, *numbers: int) -> list[object]:
    arguments = zip((r2, r3, r4, r5), [*numbers, 0, 0, 0, 0], strict=False)
    return [mov(r1, r6), *(mov(reg, number) for reg, number in arguments), call(name)]


OUT = (label("out"), exit_())


@pytest.mark.parametrize("name", MOVING)
def test_a_pointer_from_before_a_helper_that_may_move_the_packet_is_refused(bpf: Lab, name: str) -> None:
    assert helper(name).changes_packet
    with pytest.raises(VerifierError, match="R7 invalid mem access"):
        bpf.program([mov(r6, r1), *reach(1), *called(name), ldx(B, r0, r7, 0), *OUT], type="sched_cls")


@pytest.mark.parametrize("name", STAYING)
def test_a_pointer_stays_good_past_other_helpers(bpf: Lab, name: str) -> None:
    code = [mov(r6, r1), *reach(14), *called(name), ldx(B, r0, r7, 13), *OUT]
    assert bpf.program(code, type="sched_cls").run(FRAME).retval == FRAME[13]


@pytest.mark.parametrize("count", [1, 64, 65, 500])
def test_new_pointers_reach_the_packet_where_it_is_now(bpf: Lab, count: int) -> None:
    code = [mov(r6, r1), *called("skb_change_head", count), *reach(1), st(B, r7, 0, 0x77), *OUT]
    assert bpf.program(code, type="sched_cls").run(FRAME).data == b"\x77" + bytes(count - 1) + FRAME
