"""The fields of contexts may be read and written, and verdicts returned, exactly where the running kernel allows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bpflab import Lab
from bpflab.abi.attach_types import AttachType
from bpflab.abi.context import layout_of
from bpflab.abi.prog_types import ProgType
from bpflab.asm import DW, B, H, Insn, Items, W, exit_, ldx, mov, r0, r1, r2, stx
from bpflab.errors import BpfError

ADDRESS_WORDS = ("BIND", "CONNECT", "SENDMSG", "RECVMSG", "GETPEERNAME", "GETSOCKNAME")
PLACES = {
    ProgType.CGROUP_DEVICE: [AttachType.CGROUP_DEVICE],
    ProgType.CGROUP_SYSCTL: [AttachType.CGROUP_SYSCTL],
    ProgType.CGROUP_SOCK: [
        *(AttachType.CGROUP_INET_SOCK_CREATE, AttachType.CGROUP_INET_SOCK_RELEASE),
        *(AttachType.CGROUP_INET4_POST_BIND, AttachType.CGROUP_INET6_POST_BIND),
    ],
    ProgType.CGROUP_SOCK_ADDR: [
        each for each in AttachType if any(word in each.name for word in ADDRESS_WORDS) and "POST" not in each.name
    ],
    ProgType.CGROUP_SOCKOPT: [AttachType.CGROUP_GETSOCKOPT, AttachType.CGROUP_SETSOCKOPT],
    ProgType.SOCK_OPS: [AttachType.CGROUP_SOCK_OPS],
    ProgType.SK_MSG: [AttachType.SK_MSG_VERDICT],
    ProgType.SK_SKB: [AttachType.SK_SKB_STREAM_PARSER, AttachType.SK_SKB_STREAM_VERDICT, AttachType.SK_SKB_VERDICT],
}
CASES = [(kind, place) for kind, places in PLACES.items() for place in places]
SIZES = {1: B, 2: H, 4: W, 8: DW}
HELPERS = ("get_retval", "set_retval", "bind", "setsockopt", "getsockopt", "get_local_storage", "sysctl_get_name")


def is_taken(lab: Lab, code: Items, kind: ProgType, place: AttachType) -> bool:
    try:
        lab.program(code, type=kind, expected_attach_type=place, license="GPL").close()
    except BpfError:
        return False
    return True


def accesses(kind: ProgType) -> Iterator[tuple[str, Items]]:
    layout = layout_of(kind)
    assert layout is not None
    for offset in range(layout.size + 8):
        for size, word in SIZES.items():
            if offset % size == 0:
                yield f"read {size} at {offset}", [ldx(word, r2, r1, offset), mov(r0, 1), exit_()]
                yield f"write {size} at {offset}", [mov(r2, 0), stx(word, r1, r2, offset), mov(r0, 1), exit_()]


@pytest.mark.parametrize(("kind", "place"), CASES)
def test_an_access_is_taken_or_refused_alike(pair: Any, kind: ProgType, place: AttachType) -> None:
    answers = {
        what: (is_taken(pair.sim, code, kind, place), is_taken(pair.kernel, code, kind, place))
        for what, code in accesses(kind)
    }
    assert {what: pair for what, pair in answers.items() if pair[0] != pair[1]} == {}
    assert any(kernel for _, kernel in answers.values())


@pytest.mark.parametrize(("kind", "place"), CASES)
def test_a_verdict_is_taken_or_refused_alike(pair: Any, kind: ProgType, place: AttachType) -> None:
    verdicts = range(-1, 5)
    taken = [
        [is_taken(lab, [mov(r0, each), exit_()], kind, place) for each in verdicts] for lab in (pair.sim, pair.kernel)
    ]
    assert taken[0] == taken[1]


@pytest.mark.parametrize(("kind", "place"), CASES)
def test_a_packet_may_be_written_where_the_kernel_lets_it(pair: Any, kind: ProgType, place: AttachType) -> None:
    fields = {field.name: field.offset for field in layout_of(kind).fields}  # type: ignore[union-attr]  # all have one
    names = next(
        (
            each
            for each in (("optval", "optval_end"), ("data", "data_end"), ("skb_data", "skb_data_end"))
            if each[0] in fields
        ),
        None,
    )
    if names is None:
        assert kind in {ProgType.CGROUP_DEVICE, ProgType.CGROUP_SYSCTL, ProgType.CGROUP_SOCK, ProgType.CGROUP_SOCK_ADDR}
        return
    width = "u32" if kind is ProgType.SK_SKB else "u64"
    code = f"""
        r2 = *({width} *)(r1 + {fields[names[0]]})
        r3 = *({width} *)(r1 + {fields[names[1]]})
        r4 = r2
        r4 += 1
        if r4 > r3 goto out
        {{access}}
    out:
        r0 = 1
        exit
    """
    for access in ("r5 = *(u8 *)(r2 + 0)", "*(u8 *)(r2 + 0) = r4", "r5 = *(u8 *)(r2 + 1)"):
        taken = [is_taken(lab, code.format(access=access), kind, place) for lab in (pair.sim, pair.kernel)]
        assert taken[0] == taken[1], access


@pytest.mark.parametrize(("kind", "place"), CASES)
@pytest.mark.parametrize("helper", HELPERS)
def test_a_helper_is_taken_or_refused_alike(pair: Any, kind: ProgType, place: AttachType, helper: str) -> None:
    from bpflab.abi.helpers import all_helpers

    number = next(row.id for row in all_helpers() if row.name == helper)
    code = [Insn(0xB7, reg) for reg in range(2, 6)] + [Insn(0x85, imm=number), mov(r0, 1), exit_()]
    refusals = []
    for lab in (pair.sim, pair.kernel):
        try:
            lab.program(code, type=kind, expected_attach_type=place).close()
            refusals.append(False)
        except BpfError as error:
            refusals.append("cannot use helper" in str(error) or "unknown func" in str(error))
    assert refusals[0] == refusals[1]
