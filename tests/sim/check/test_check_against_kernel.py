"""Programs put together at random get the same verdict, in the same words, as from the running kernel.

The kernel follows ranges of numbers further than the check does, so what it says of ranges is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpflab.abi.errno import errno_name
from bpflab.abi.insn import WideSource
from bpflab.abi.prog_types import ProgType
from bpflab.asm import assemble
from bpflab.asm.insn import Insn
from bpflab.sim.check import CtxField, Kind, MapFacts, MapReference, Refused, Subject, check


class KernelOracle(Protocol):
    fds: Mapping[str, int]

    def verdict(self, insns: Sequence[Insn], prog_type: ProgType, licence: str) -> tuple[str, str]: ...


RANGES = re.compile(r"unbounded|out of bounds|outside of the allowed memory|pointer and |variable-offset|is negative")
"""Of what the kernel says, that which needs ranges."""

REGISTERS = ("r0", "r2", "r3", "r4")
reg = st.sampled_from(REGISTERS)
pointer = st.sampled_from((*REGISTERS, "r10", "r9", "r1"))
number = st.sampled_from((0, 1, 2, 4, 8, 14, -4, -8))
width = st.sampled_from(("u8", "u16", "u32", "u64"))
field = st.sampled_from((0, 4, 8, 12))
place = st.sampled_from((0, 1, 4, 8, 13, -4, -8, -16))
compared = st.sampled_from((">", ">=", "<", "<="))
operator = st.sampled_from(("+=", "+=", "-=", "&=", "*=", "<<="))

LOOKUP = """
*(u32 *)(r10 - 4) = 0
r1 = map[name:hash]
r2 = r10
r2 += -4
call map_lookup_elem
"""

statements = st.one_of(
    st.builds("{} = {}".format, reg, number),
    st.builds("{} = {}".format, reg, pointer),
    st.builds("{} = *(u32 *)(r9 + {})".format, reg, field),
    st.builds("{} {} {}".format, pointer, operator, number.filter(lambda imm: 0 <= imm < 32)),
    st.builds("{} {} {}".format, reg, st.sampled_from(("+=", "-=", "&=")), pointer),
    st.builds("{} = *({} *)({} + {})".format, reg, width, pointer, place),
    st.builds("*({} *)({} + {}) = {}".format, width, pointer, place, reg),
    st.builds("*({} *)({} + {}) = {}".format, width, pointer, place, st.just(7)),
    st.builds("if {} {} {} goto end".format, reg, compared, pointer),
    st.builds("if {} {} {} goto end".format, reg, compared, st.sampled_from((1, 7, 100))),
    st.builds("if {} {} 0 goto end".format, reg, st.sampled_from(("==", "!="))),
    st.sampled_from((LOOKUP, "call ktime_get_ns", "r2 = map[name:ro][0]+8", "r3 &= 7")),
    st.just("r2 = *(u32 *)(r9 + 0)\nr3 = *(u32 *)(r9 + 4)\nr4 = r2\nr4 += 14\nif r4 > r3 goto end"),
)
endings = st.sampled_from(("r0 = 0\n", "r0 = 0\n", ""))


def context(off: int, size: int, store: bool) -> CtxField | None:
    if store or size != 4 or off % 4 or not 0 <= off < 20:
        return None
    return CtxField({0: Kind.PACKET, 4: Kind.PACKET_END, 8: Kind.PACKET_META}.get(off, Kind.SCALAR), off, 4)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(statements, max_size=12), endings)
def test_a_random_program_gets_the_kernels_verdict(
    oracle: KernelOracle, maps: Mapping[str, MapFacts], body: Sequence[str], ending: str
) -> None:
    assembled = assemble("r9 = r1\n" + "\n".join(body) + "\nend:\n" + ending + "exit\n", check=False)
    insns, named = list(assembled.insns), {}
    for ref in assembled.map_refs:
        insns[ref.insn] = replace(insns[ref.insn], imm=oracle.fds[ref.name])
        named[ref.insn] = MapReference(maps[ref.name], ref.offset if ref.kind is WideSource.MAP_VALUE else None)
    verdict, log = oracle.verdict(insns, ProgType.XDP, "GPL")
    try:
        check(Subject(tuple(insns), ProgType.XDP, context, lambda _number: True, maps=named))
        said, sentence = "OK", ""
    except Refused as refused:
        said, sentence = errno_name(refused.errno), refused.log.splitlines()[-2]
    if not RANGES.search(log):
        assert (said, sentence in log) == (verdict, True), log
