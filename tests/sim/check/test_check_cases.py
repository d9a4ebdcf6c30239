"""The load-time check and the running kernel say the same to every program of the case files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest

from bpflab.abi.errno import errno_name
from bpflab.abi.helpers import table
from bpflab.abi.insn import WideSource
from bpflab.abi.prog_types import ProgType
from bpflab.asm import Assembled, assemble
from bpflab.asm.insn import Insn
from bpflab.sim.check import CtxField, CtxRule, Kind, MapFacts, MapReference, Refused, Subject, check

CASE = re.compile(r"^== (?P<name>[^|\n]+)(?:\| (?P<options>.*))?\n(?P<text>(?:.*\n)*?)=> (?P<says>.*)$", re.MULTILINE)


class KernelOracle(Protocol):
    fds: Mapping[str, int]

    def verdict(self, insns: Sequence[Insn], prog_type: ProgType, licence: str) -> tuple[str, str]: ...


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    says: str
    prog_type: ProgType
    licence: str


def read(path: Path) -> list[Case]:
    found = []
    for match in CASE.finditer(path.read_text()):
        options = dict(word.split("=") for word in (match["options"] or "").split())
        prog_type = ProgType[options.get("type", "XDP")]
        found.append(
            Case(match["name"].strip(), match["text"], match["says"], prog_type, options.get("licence", "GPL"))
        )
    return found


CASES = [case for name in ("values.txt", "calls.txt") for case in read(Path(__file__).with_name(name))]


def xdp_context(off: int, size: int, store: bool) -> CtxField | None:
    if store or size != 4 or off % 4 or not 0 <= off < 20:
        return None
    return CtxField({0: Kind.PACKET, 4: Kind.PACKET_END, 8: Kind.PACKET_META}.get(off, Kind.SCALAR), off, 4)


def skb_context(off: int, size: int, store: bool) -> CtxField | None:
    """Of struct __sk_buff: data, data_end, sk to read, mark to write, other words to read."""
    if (off, size) == (168, 8) and not store:
        return CtxField(Kind.SOCK_COMMON, off, 8, nullable=True)
    if size != 4 or off % 4 or not 0 <= off < 160 or (store and off != 8):
        return None
    return CtxField({76: Kind.PACKET, 80: Kind.PACKET_END}.get(off, Kind.SCALAR), off, 4)


CONTEXTS: Mapping[ProgType, CtxRule] = {ProgType.XDP: xdp_context}


def subject(case: Case, maps: Mapping[str, MapFacts], assembled: Assembled) -> Subject:
    named = {
        ref.insn: MapReference(maps[ref.name], ref.offset if ref.kind is WideSource.MAP_VALUE else None)
        for ref in assembled.map_refs
    }
    return Subject(
        assembled.insns,
        case.prog_type,
        CONTEXTS.get(case.prog_type, skb_context),
        lambda number: table().helper(number).allowed_in(case.prog_type),
        maps=named,
        gpl=case.licence == "GPL",
        return_range=(0, 1) if case.prog_type is ProgType.CGROUP_SKB else None,
        packet_writable=case.prog_type is not ProgType.CGROUP_SKB,
    )


def sentences(log: str) -> str:
    """What the log says after the last instruction that it shows, on one line."""
    lines = log.splitlines()[:-1]
    shown = [index for index, line in enumerate(lines) if re.match(r"\d+: |from \d+ to ", line)]
    return " / ".join(lines[max(shown, default=-1) + 1 :])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_check_says_what_is_written(maps: Mapping[str, MapFacts], case: Case) -> None:
    try:
        check(subject(case, maps, assemble(case.text, check=False)))
        said = "OK"
    except Refused as refused:
        said = f"{errno_name(refused.errno)}: {sentences(refused.log)}"
    assert said == case.says


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_kernel_says_what_is_written(oracle: KernelOracle, case: Case) -> None:
    assembled = assemble(case.text, check=False)
    insns = list(assembled.insns)
    for ref in assembled.map_refs:
        insns[ref.insn] = replace(insns[ref.insn], imm=oracle.fds[ref.name])
    verdict, log = oracle.verdict(insns, case.prog_type, case.licence)
    errno, _, wanted = case.says.partition(": ")
    assert verdict == errno
    assert all(sentence in log for sentence in wanted.split(" / "))


def test_the_log_shows_the_path_to_the_refusal(maps: Mapping[str, MapFacts]) -> None:
    case = next(case for case in CASES if case.name == "a register that only one path set")
    with pytest.raises(Refused) as caught:
        check(subject(case, maps, assemble(case.text, check=False)))
    assert caught.value.slot == 3
    assert [line.partition(" ;")[0].rstrip() for line in caught.value.log.splitlines()] == [
        "0: R1=ctx() R10=fp0",
        "0: (61) r0 = *(u32 *)(r1 + 12)",
        "1: (15) if r0 == 0 goto +1",
        "from 1 to 3: R0=0 R1=ctx() R10=fp0",
        "3: (bf) r0 = r2",
        "R2 !read_ok",
        "processed 6 insns (limit 1000000)",
    ]
