"""CO-RE's four numbers of a bitfield lead to its bits, in either byte order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bpflab.abi.btf import IntEncoding
from bpflab.abi.core import CoreKind
from bpflab.abi.layout import ByteOrder
from bpflab.obj.btf import Btf
from bpflab.obj.btf_types import Int, Member, Struct
from bpflab.obj.core_access import local_field
from bpflab.obj.core_values import answer

U64 = (1 << 64) - 1


@st.composite
def bitfields(draw: st.DrawFn) -> tuple[int, int, int]:
    """Draw the bytes of an integer type, and bit offset and size of a field within one such integer."""
    width = draw(st.sampled_from([1, 2, 4, 8]))
    size = draw(st.integers(1, 8 * width))
    inside = draw(st.integers(0, 8 * width - size))
    return width, 8 * width * draw(st.integers(0, 3)) + inside, size


@given(bitfields(), st.binary(min_size=32, max_size=32), st.booleans(), st.sampled_from(["little", "big"]))
def test_shifting_the_integer_around_a_bitfield_gives_its_value(
    field: tuple[int, int, int], memory: bytes, signed: bool, byteorder: ByteOrder
) -> None:
    width, offset, size = field
    encoding = IntEncoding.SIGNED if signed else IntEncoding.NONE
    btf = Btf.build(
        [
            Int(name="t", size=width, bits=8 * width, encoding=encoding),
            Struct(name="s", size=32, members=(Member("f", 1, offset, size),)),
        ],
        byteorder,
    )
    access = local_field(btf, 2, "0:0")
    start, span, is_signed, left, right = (
        answer(kind, access).value
        for kind in (
            CoreKind.FIELD_BYTE_OFFSET,
            CoreKind.FIELD_BYTE_SIZE,
            CoreKind.FIELD_SIGNED,
            CoreKind.FIELD_LSHIFT_U64,
            CoreKind.FIELD_RSHIFT_U64,
        )
    )
    word = int.from_bytes(memory[start : start + span], byteorder) << left & U64
    assert word >> right == bits_of(memory, offset, size, byteorder)
    assert is_signed == signed


def bits_of(memory: bytes, offset: int, size: int, byteorder: ByteOrder) -> int:
    """Read bits as the machine numbers them: from the lowest of a byte, or from the highest."""
    whole = int.from_bytes(memory, byteorder)
    shift = offset if byteorder == "little" else 8 * len(memory) - offset - size
    return whole >> shift & ((1 << size) - 1)
