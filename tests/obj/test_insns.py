"""Fields of instructions are read and written where RFC 9669 has them, in both byte orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bpflab.asm.insn import Insn, decode, encode
from bpflab.obj.insns import Code

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder

ORDERS: st.SearchStrategy[ByteOrder] = st.sampled_from(["little", "big"])
INSNS = st.builds(
    Insn,
    opcode=st.integers(0, 255),
    dst=st.integers(0, 15),
    src=st.integers(0, 15),
    off=st.integers(-(1 << 15), (1 << 15) - 1),
    imm=st.integers(-(1 << 31), (1 << 31) - 1),
)


@given(st.lists(INSNS, min_size=1, max_size=4), ORDERS)
def test_fields_are_read_as_the_decoder_reads_them(insns: list[Insn], byteorder: ByteOrder) -> None:
    code = Code(encode(insns, byteorder), byteorder)
    found = [(code.opcode(slot), code.src(slot), code.off(slot), code.imm(slot)) for slot in range(len(code))]
    assert found == [(each.opcode, each.src, each.off, each.imm) for each in insns]


@given(INSNS, INSNS, ORDERS)
def test_a_field_written_leaves_the_others_alone(before: Insn, after: Insn, byteorder: ByteOrder) -> None:
    code = Code(encode([before, before], byteorder), byteorder)
    code.set_src(1, after.src)
    code.set_off(1, after.off)
    code.set_imm(1, after.imm)
    assert decode(bytes(code.data), byteorder) == [
        before,
        Insn(before.opcode, before.dst, after.src, after.off, after.imm),
    ]


def test_the_second_half_of_a_wide_load_is_no_instruction() -> None:
    wide = [Insn(0x18, imm=5), Insn(0), Insn(0x95)]
    assert list(Code(encode(wide, "little"), "little")) == [0, 2]
