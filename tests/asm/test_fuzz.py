"""Whatever is fed in, only bpflab's own errors come out."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from bpflab.asm import assemble, disassemble
from bpflab.errors import BpfError

WORDS = (
    "r0 r1 r10 r11 w0 w3 u8 u32 u64 s8 s64 ll if goto gotol gotox may_goto call callx exit lock skb map name fd id idx "
    "data subprog btf kfunc pc be16 bswap64 addr_space_cast load_acquire store_release xchg_64 cmpxchg32_32 atomic_xchg "
    "atomic_fetch_add atomic64_fetch_or ld_pseudo map_lookup_elem bpf_ktime_get_ns .insn .text .section .rodata .bss "
    ".byte .quad .asciz .zero .p2align .comm label x: : ; # // , ( ) [ ] * & + - = == != < > <= >= s> s<= += -= s/= s%= "
    "<<= s>>= |= ^= 0 1 7 -1 0x10 0xffffffff 99999999999999999999999 0: 1: (b7) (18) \" \"a\\n\" \\ @ é \n \n \t"
).split(" ")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)


@given(TEXTS | st.text(max_size=80))
def test_any_text_assembles_or_is_refused(text: str) -> None:
    with contextlib.suppress(BpfError):
        assembled = assemble(text)
        assert len(assembled.code) == 8 * len(assembled.insns)


@given(TEXTS)
def test_a_text_that_assembles_writes_itself_so_that_it_assembles_again(text: str) -> None:
    with contextlib.suppress(BpfError):
        assembled = assemble(text, check=False)
        again = assemble(str(assembled), check=False)
        assert again.insns == assembled.insns
        assert again.map_refs == assembled.map_refs


@given(st.binary(max_size=64))
def test_any_bytes_disassemble_or_are_refused(code: bytes) -> None:
    with contextlib.suppress(BpfError):
        text = disassemble(code, labels={})
        assert assemble(text, check=False).code == code


@given(st.binary(max_size=200))
def test_any_bytes_read_as_text_assemble_or_are_refused(code: bytes) -> None:
    with contextlib.suppress(BpfError):
        assert assemble(code.decode("latin-1"), check=False).insns is not None
