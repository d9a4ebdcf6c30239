"""A big-endian target runs on any machine: memory and byte swaps follow the target's order, numbers do not care."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab.asm import assemble
from bpflab.asm.insn import ByteOrder
from bpflab.sim.engine import Run, prepare
from bpflab.sim.memory import Memory, RegionKind

words = st.integers(0, (1 << 64) - 1)
MARKS = {"little": "<", "big": ">"}
LETTERS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "s8": "b", "s16": "h", "s32": "i"}


def execute(text: str, data: bytes, order: ByteOrder) -> tuple[int, bytes]:
    memory = Memory(order)
    insns = assemble(text, byteorder=order, check=False).insns
    with memory.scope() as scope:
        region = scope.add(RegionKind.CONTEXT, bytearray(data))
        return Run(prepare(insns, memory), scope, arguments=(region.address,)).execute(), bytes(region.data)


@given(st.sampled_from(sorted(MARKS)), st.sampled_from(sorted(LETTERS)), st.binary(min_size=8, max_size=8))
def test_a_load_reads_the_targets_order(order: ByteOrder, kind: str, data: bytes) -> None:
    (number,) = struct.unpack_from(MARKS[order] + LETTERS[kind], data)
    assert execute(f"r0 = *({kind} *)(r1 + 0)\nexit", data, order)[0] == number & (1 << 64) - 1


@given(st.sampled_from(sorted(MARKS)), st.sampled_from(["u8", "u16", "u32", "u64"]), words)
def test_a_store_writes_the_targets_order(order: ByteOrder, kind: str, number: int) -> None:
    packed = struct.pack(MARKS[order] + "Q", number)
    _, after = execute(f"r2 = *(u64 *)(r1 + 0)\n*({kind} *)(r1 + 8) = r2\nr0 = 0\nexit", packed + bytes(8), order)
    size = struct.calcsize(LETTERS[kind])
    cut = number & ((1 << 8 * size) - 1)
    assert after[8:] == struct.pack(MARKS[order] + LETTERS[kind], cut).ljust(8, b"\0")


@given(st.sampled_from(sorted(MARKS)), words)
def test_an_atomic_adds_in_the_targets_order(order: ByteOrder, number: int) -> None:
    packed = struct.pack(MARKS[order] + "Q", number)
    text = "r0 = 1\nr0 = atomic_fetch_add((u64 *)(r1 + 0), r0)\nexit"
    assert execute(text, packed, order) == (number, struct.pack(MARKS[order] + "Q", number + 1 & (1 << 64) - 1))


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("target", ["le", "be"])
@pytest.mark.parametrize("bits", [16, 32, 64])
def test_a_swap_to_an_order_cuts_or_reverses(order: ByteOrder, target: str, bits: int) -> None:
    number = 0x0102030405060708
    low = number & ((1 << bits) - 1)
    same = order.startswith(target[0])
    wanted = low if same else int.from_bytes(low.to_bytes(bits // 8, "little"), "big")
    packed = struct.pack(MARKS[order] + "Q", number)
    assert execute(f"r0 = *(u64 *)(r1 + 0)\nr0 = {target}{bits} r0\nexit", packed, order)[0] == wanted


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("bits", [16, 32, 64])
def test_bswap_reverses_on_every_target(order: ByteOrder, bits: int) -> None:
    number = 0x0102030405060708
    wanted = int.from_bytes((number & ((1 << bits) - 1)).to_bytes(bits // 8, "little"), "big")
    packed = struct.pack(MARKS[order] + "Q", number)
    assert execute(f"r0 = *(u64 *)(r1 + 0)\nr0 = bswap{bits} r0\nexit", packed, order)[0] == wanted


@given(words, words)
def test_arithmetic_is_the_same_on_both(first: int, second: int) -> None:
    text = """
        r2 = *(u64 *)(r1 + 0)
        r3 = *(u64 *)(r1 + 8)
        r0 = r2
        r0 *= r3
        r0 += r2
        r0 s>>= 3
        w0 ^= w3
        if r0 s> r2 goto end
        r0 %= r3
    end:
        exit
    """
    results = [execute(text, struct.pack(f"{MARKS[order]}2Q", first, second), order)[0] for order in ("little", "big")]
    assert results[0] == results[1]
