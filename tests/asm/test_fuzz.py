"""Whatever is fed in, only bpflab's own errors come out."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from bpflab.asm import assemble, disassemble
from bpflab.errors import BpfError

INSTRUCTIONS = """
r1 += r2 | w3 s>>= -7 | r1 = (s8)r2 | r0 = *(u32 *)(r1 + 4) | *(u8 *)(r10 - 1) = w1 | lock *(u64 *)(r10 - 8) += r1
r1 = atomic64_fetch_add((u64 *)(r10 -8), r1) | w0 = cmpxchg32_32(r10 - 8, w0, w1) | store_release((u8 *)(r1 + 0), w2)
if w1 s>= 0x10 goto label | may_goto pc+1 | call bpf_ktime_get_ns#5 | call kfunc[id:1, btf:2] | exit
r1 = map[fd:3][0]+4 | r1 = map[name:x] | r1 = subprog[label] | r1 = 0x99999999 ll | r2 = label ll | r1 = data[x]+1
ld_pseudo r1, 1, 5 | .insn 0x18, 1, 2, 3, 4 | 0: (b7) r0 = 2 | 1: (18) r1 = 0xff | label: | .rodata | .text | x:
.asciz "a\\n" | .byte 1, 2
.section .data,"aw" | .p2align 3 | .comm shared, 4, 4 | .zero 4 | r0 = *(u8 *)skb[r7 + 3] | r1 = btf[id:4, fd:5]
"""
LINES = [line.strip() for line in INSTRUCTIONS.replace("\n", "|").split("|")]
WORDS = [*sorted({word for line in LINES for word in line.split()}), "é", "@", '"', "9" * 30, ";", "#", "-", "\n"]
LINE = st.sampled_from(LINES) | st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
TEXTS = st.lists(LINE, max_size=8).map("\n".join)


@settings(deadline=None)
@given(TEXTS | st.text(max_size=80))
def test_any_text_assembles_or_is_refused(text: str) -> None:
    with contextlib.suppress(BpfError):
        assembled = assemble(text)
        assert len(assembled.code) == 8 * len(assembled.insns)


@settings(deadline=None)
@given(TEXTS)
def test_a_text_that_assembles_writes_itself_so_that_it_assembles_again(text: str) -> None:
    with contextlib.suppress(BpfError):
        assembled = assemble(text, check=False)
        again = assemble(str(assembled), check=False)
        assert again.insns == assembled.insns
        assert again.map_refs == assembled.map_refs


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_disassemble_or_are_refused(code: bytes) -> None:
    with contextlib.suppress(BpfError):
        text = disassemble(code, labels={})
        assert assemble(text, check=False).code == code


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_read_as_text_assemble_or_are_refused(code: bytes) -> None:
    with contextlib.suppress(BpfError):
        assert assemble(code.decode("latin-1"), check=False).insns is not None
