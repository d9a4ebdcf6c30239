"""Tail-call chains: programs that lead from one to the next, and run as one."""

from __future__ import annotations

import sys

import pytest

from bpflab import XDP, Lab
from bpflab.asm import H, Items, W, add, exit_, jgt, jne, label, ldx, mov, r0, r1, r2, r3
from bpflab.errors import ArgumentError
from bpflab.programs.chain import Chain

ETHERTYPE_ARP, ETHERTYPE_IP = 0x0806, 0x0800


def frame(ethertype: int) -> bytes:
    return bytes(12) + ethertype.to_bytes(2, "big") + bytes(46)


def deciding_on(ethertype: int, verdict: XDP) -> Items:
    return [
        ldx(W, r2, r1, 0),
        ldx(W, r3, r1, 4),
        mov(r0, r2),
        add(r0, 14),
        jgt(r0, r3, "next"),
        ldx(H, r0, r2, 12),
        jne(r0, int.from_bytes(ethertype.to_bytes(2, "big"), sys.byteorder), "next"),
        mov(r0, int(verdict)),
        exit_(),
    ]


def sorter(bpf: Lab, missing: XDP | None = None) -> Chain:
    return bpf.chain(
        "sorter",
        {"arp": deciding_on(ETHERTYPE_ARP, XDP.DROP), "ip": deciding_on(ETHERTYPE_IP, XDP.PASS)},
        missing=missing,
    )


@pytest.mark.parametrize(
    ("ethertype", "verdict", "stage"),
    [(ETHERTYPE_ARP, XDP.DROP, "arp"), (ETHERTYPE_IP, XDP.PASS, "ip"), (0x86DD, XDP.ABORTED, "ip")],
)
def test_the_stage_that_decides_is_told(bpf: Lab, ethertype: int, verdict: XDP, stage: str) -> None:
    result = sorter(bpf).run(frame(ethertype))
    assert (result.action, result.stage_name) == (verdict, stage)


def test_an_empty_slot_gives_the_verdict_for_what_is_missing(bpf: Lab) -> None:
    chain = sorter(bpf, missing=XDP.TX)
    chain.remove(1)
    result = chain.run(frame(ETHERTYPE_IP))
    assert (result.action, result.stage) == (XDP.TX, 0)


def test_a_stage_can_be_replaced(bpf: Lab) -> None:
    chain = sorter(bpf)
    chain.replace(1, [mov(r0, int(XDP.DROP)), exit_()])
    assert chain.run(frame(ETHERTYPE_IP)).action is XDP.DROP


def test_stages_may_be_text(bpf: Lab) -> None:
    chain = bpf.chain("texts", ["r7 = 1", "r0 = 1\nexit"])
    assert chain.run(bytes(64)).stage_name == "texts.1"


def test_the_whole_length_that_a_run_may_tail_call_is_gone_through(bpf: Lab) -> None:
    chain = bpf.chain("long", [*["r7 = 1"] * 33, [label("last"), mov(r0, 3), exit_()]])
    result = chain.run(bytes(64))
    assert (result.action, result.stage) == (XDP.TX, 33)


def test_a_chain_longer_than_that_ends_as_if_the_slot_were_empty(bpf: Lab) -> None:
    chain = bpf.chain("longer", [*["r7 = 1"] * 34, "r0 = 3\nexit"])
    result = chain.run(bytes(64))
    assert (result.action, result.stage) == (XDP.ABORTED, 33)


def test_no_stages_and_unknown_stages_are_refused(bpf: Lab) -> None:
    with pytest.raises(ArgumentError, match="at least one"):
        bpf.chain("none", [])
    with pytest.raises(ArgumentError, match="stages 0 to 1"):
        sorter(bpf).replace(2, "exit")
