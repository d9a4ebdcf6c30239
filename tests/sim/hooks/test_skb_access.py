"""Which fields of a socket buffer's context programs may touch, and what they read there."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

from bpflab import Lab, SkBuff
from bpflab.abi.prog_types import ProgType
from bpflab.asm import (
    DW,
    B,
    H,
    W,
    add,
    call,
    exit_,
    jgt,
    ld_imm64,
    ld_map_value,
    ldx,
    ldxs,
    mov,
    r0,
    r1,
    r2,
    r3,
    r6,
    r7,
    r8,
    st,
    stx,
)
from bpflab.programs.verifier import VerifierError
from bpflab.sim.hooks import find_hook
from bpflab.sim.programs import ProgSpec
from bpflab.sim.skb_context import POINTERS, SK_BUFF

if TYPE_CHECKING:
    from tests.sim.conftest import Pair

    from bpflab.asm import Insn

TYPES = ("socket_filter", "sched_cls", "sched_act", "cgroup_skb", "lwt_in", "lwt_out", "lwt_xmit")
LOAD, STORE = False, True
SIZES = {1: B, 2: H, 4: W, 8: DW}
END = 200
"""Offsets up to here are tried, a little more than the structure has."""
PACKET = bytes(range(12)) + b"\x86\xdd" + bytes(range(40)) + bytes(20)
CONTEXT = SkBuff(
    mark=0x01020304,
    priority=0x11121314,
    ingress_ifindex=1,
    ifindex=1,
    tstamp=0x2122232425262728,
    cb=(0x31323334, 0x41424344, 5, 6, 0x71727374),
    gso_segs=0x5152,
    gso_size=0x6162,
    hwtstamp=0x8182838485868788,
    wire_len=0x9192,
)
NOT_NUMBERS = {*POINTERS, "sk"}


def places() -> Iterator[tuple[int, int]]:
    """Give every byte, and every aligned and some unaligned places of the wider sizes."""
    for size in SIZES:
        yield from ((offset, size) for offset in range(0, END, size))
        yield from ((offset + 1, size) for offset in range(0, END, 16) if size > 1)


def access(offset: int, size: int, *, store: bool) -> Sequence[Insn]:
    reg = SIZES[size]
    return [mov(r2, 0), stx(reg, r1, r2, offset)] if store else [ldx(reg, r2, r1, offset)]


def accepted(bpf: Lab, prog_type: str, code: Sequence[object]) -> bool:
    try:
        bpf.program([*code, mov(r0, 1), exit_()], type=prog_type).close()
    except VerifierError:
        return False
    return True


@pytest.mark.parametrize("store", [False, True], ids=["load", "store"])
@pytest.mark.parametrize("prog_type", TYPES)
def test_exactly_the_accesses_of_the_rule_are_accepted(bpf: Lab, prog_type: str, store: bool) -> None:
    rule = find_hook(ProgType[prog_type.upper()]).context(ProgSpec(ProgType[prog_type.upper()], ()))
    allowed = {place for place in places() if rule(*place, store)}
    taken = {place for place in places() if accepted(bpf, prog_type, access(*place, store=store))}
    assert taken == allowed


def prologue(prog_type: str) -> list[object]:
    """Give tc's packets a tag and a hash, which a context cannot be given."""
    if not prog_type.startswith("sched"):
        return [mov(r6, r1)]
    tag: list[object] = [mov(r2, 0x81), mov(r3, 0x5678), call("skb_vlan_push")]
    return [mov(r6, r1), *tag, mov(r1, r6), mov(r2, 0x12345678), call("set_hash")]


def readable(prog_type: str) -> list[tuple[int, int, str]]:
    rule = find_hook(ProgType[prog_type.upper()]).context(ProgSpec(ProgType[prog_type.upper()], ()))
    fields = ((offset, size, SK_BUFF.at(offset)) for offset, size in places())
    return [
        (offset, size, field.name)
        for offset, size, field in fields
        if field and field.name not in NOT_NUMBERS and rule(offset, size, LOAD)
    ]


def noted(pair: Pair, prog_type: str, code: list[object]) -> list[bytes]:
    """Run code that leaves 64-bit numbers in a map (its address in r8), and give what each kernel's map holds."""
    contents = []
    for lab in (pair.kernel, pair.sim):
        notes = lab.map("array", key="u32", value=8192, max_entries=1)
        whole = [*prologue(prog_type), ld_map_value(r8, notes.fileno()), *code, mov(r0, 1), exit_()]
        lab.program(whole, type=prog_type).run(PACKET, CONTEXT)
        contents.append(bytes(notes[0]))
        notes.close()
    return contents


@pytest.mark.parametrize("signed", [False, True], ids=["ldx", "ldxs"])
@pytest.mark.parametrize("prog_type", TYPES)
def test_every_part_of_every_field_reads_as_in_the_kernel(pair: Pair, prog_type: str, signed: bool) -> None:
    reads = [(offset, size, name) for offset, size, name in readable(prog_type) if not (signed and size == 8)]
    load = ldxs if signed else ldx
    code: list[object] = []
    for at, (offset, size, _) in enumerate(reads):
        code += [load(SIZES[size], r7, r6, offset), stx(DW, r8, r7, 8 * at)]
    kernel, sim = (struct.unpack_from(f"={len(reads)}q", content) for content in noted(pair, prog_type, code))
    assert dict(zip(reads, sim, strict=True)) == dict(zip(reads, kernel, strict=True))


@pytest.mark.parametrize("value", [0x12345678_9ABC0DEF, 0xFFFF0000, 0xFFFE, 0])
@pytest.mark.parametrize("prog_type", TYPES)
def test_what_is_written_to_a_field_is_read_back_as_in_the_kernel(pair: Pair, prog_type: str, value: int) -> None:
    rule = find_hook(ProgType[prog_type.upper()]).context(ProgSpec(ProgType[prog_type.upper()], ()))
    writes = [(offset, size) for offset, size in places() if rule(offset, size, STORE)]
    if value >= 0xFFFF:  # the kernel leaves queue_mapping as it is, which the simulator cannot tell
        writes = [place for place in writes if place[0] != SK_BUFF.field("queue_mapping").offset]
    code: list[object] = [ld_imm64(r7, value)]
    for at, (offset, size) in enumerate(writes):
        read = DW if offset == SK_BUFF.field("tstamp").offset else W
        code += [stx(SIZES[size], r6, r7, offset), ldx(read, r2, r6, offset & ~3), stx(DW, r8, r2, 8 * at)]
    kernel, sim = (struct.unpack_from(f"={len(writes)}Q", content) for content in noted(pair, prog_type, code))
    assert dict(zip(writes, sim, strict=True)) == dict(zip(writes, kernel, strict=True))


@pytest.mark.parametrize(
    ("prog_type", "reads", "writes"),
    [
        ("sched_cls", True, True),
        ("sched_act", True, True),
        ("lwt_xmit", True, True),
        ("lwt_in", True, False),
        ("lwt_out", True, False),
        ("cgroup_skb", True, False),
        ("socket_filter", False, False),
    ],
)
def test_a_type_may_read_and_write_the_packet_or_not(bpf: Lab, prog_type: str, reads: bool, writes: bool) -> None:
    data, end = SK_BUFF.field("data").offset, SK_BUFF.field("data_end").offset
    begin: list[object] = [ldx(W, r2, r1, data), ldx(W, r3, r1, end), mov(r6, r2), add(r6, 1), jgt(r6, r3, 1)]
    assert accepted(bpf, prog_type, [*begin, ldx(B, r7, r2, 0)]) is reads
    assert accepted(bpf, prog_type, [*begin, st(B, r2, 0, 9)]) is writes
