"""Every unsafe act is named: what it was, at which instruction, which register held what, how it came there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bpflab.asm import assemble
from bpflab.asm.insn import Insn
from bpflab.sim.engine import Run, prepare
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.memory import Memory, RegionKind


def fault_of(insns: Sequence[Insn], *, strict: bool = False, arguments: int = 1) -> Fault:
    """Run with r1 a packet of 64 bytes with room around it, r2 read-only data of 8, r3 freed memory."""
    memory = Memory("little")
    freed = memory.add(RegionKind.MAP_VALUE, bytearray(8), name="counts")
    with memory.scope() as scope:
        packet = scope.add(RegionKind.PACKET, bytearray(96))
        packet.low, packet.high = 16, 80
        rodata = scope.add(RegionKind.RODATA, bytearray(8), name=".rodata", writable=False)
        memory.remove(freed)
        pointers = (packet.start, rodata.address, freed.address)[: arguments or 3]
        run = Run(prepare(insns, memory, strict_alignment=strict), scope, arguments=pointers)
        with pytest.raises(Fault) as caught:
            run.execute()
    return caught.value


def fault_in(text: str, *, strict: bool = False) -> Fault:
    return fault_of(assemble(text, check=False).insns, strict=strict, arguments=0)


@pytest.mark.parametrize(
    ("text", "kind", "register", "words"),
    [
        ("r0 = *(u32 *)(r1 + 62)", FaultKind.OUT_OF_BOUNDS, 1, "2 bytes past the end of packet (64 bytes)"),
        ("r0 = *(u32 *)(r1 - 4)", FaultKind.OUT_OF_BOUNDS, 1, "4 bytes before the start of packet"),
        ("r1 += -1\nr0 = *(u8 *)(r1 + 0)", FaultKind.OUT_OF_BOUNDS, 1, "1 byte before the start of packet"),
        ("*(u8 *)(r1 - 1) = 1", FaultKind.OUT_OF_BOUNDS, 1, "1 byte before the start of packet"),
        ("*(u8 *)(r1 + 64) = 1", FaultKind.OUT_OF_BOUNDS, 1, "write of 1 byte"),
        ("r4 = 0\nr0 = *(u64 *)(r4 + 16)", FaultKind.NULL_POINTER, 4, "r4 held 0x0"),
        ("r4 = 70000\n*(u64 *)(r4 + 0) = 1", FaultKind.NOT_A_POINTER, 4, "where there is no memory"),
        ("*(u32 *)(r2 + 0) = 1", FaultKind.READ_ONLY, 2, "read-only data '.rodata'"),
        ("r0 = *(u32 *)(r3 + 0)", FaultKind.USE_AFTER_FREE, 3, "map value 'counts', which was freed"),
        ("r0 = *(u64 *)(r10 - 8)", FaultKind.UNINITIALISED_STACK, 10, "r10-8 of its stack"),
        ("*(u32 *)(r10 - 8) = 1\nr0 = *(u64 *)(r10 - 8)", FaultKind.UNINITIALISED_STACK, 10, "never written"),
        ("*(u64 *)(r10 - 520) = 1", FaultKind.STACK_OVERFLOW, 10, "before the start of stack (512 bytes)"),
        ("*(u64 *)(r10 + 0) = 1", FaultKind.OUT_OF_BOUNDS, 10, "8 bytes past the end of stack"),
        ("r0 = r4", FaultKind.UNINITIALISED_REGISTER, 4, "r4 is read"),
        ("r4 += 1", FaultKind.UNINITIALISED_REGISTER, 4, "r4 is read"),
        ("if r4 == 0 goto +0", FaultKind.UNINITIALISED_REGISTER, 4, "r4 is read"),
        ("if w1 > w4 goto +0", FaultKind.UNINITIALISED_REGISTER, 4, "r4 is read"),
        ("*(u64 *)(r1 + 0) = r4", FaultKind.UNINITIALISED_REGISTER, 4, "r4 is read"),
        ("r4 = 1\nr4 /= r5", FaultKind.UNINITIALISED_REGISTER, 5, "r5 is read"),
        ("r4 = 1\nr4 s%= r5", FaultKind.UNINITIALISED_REGISTER, 5, "r5 is read"),
        ("", FaultKind.UNINITIALISED_REGISTER, 0, "r0 is read"),
        ("r4 = 1\nlock *(u64 *)(r1 + 4) += r4", FaultKind.MISALIGNED, 1, "offset 4 of packet"),
        ("r4 = 1\nlock *(u64 *)(r1 + 64) += r4", FaultKind.OUT_OF_BOUNDS, 1, "past the end of packet"),
        ("r4 = 1\nr0 = cmpxchg_64(r1 + 0, r0, r4)", FaultKind.UNINITIALISED_REGISTER, 0, "r0 is read"),
    ],
)
def test_an_unsafe_act_is_named_with_its_register(text: str, kind: FaultKind, register: int, words: str) -> None:
    fault = fault_in(f"{text}\nexit")
    assert (fault.kind, fault.moment is not None) == (kind, True)
    assert fault.moment is not None
    assert fault.moment.register == register
    assert words in str(fault)


@pytest.mark.parametrize("size", ["u16", "u32", "u64"])
def test_strict_alignment_makes_unaligned_access_a_fault(size: str) -> None:
    text = f"r0 = *({size} *)(r1 + 1)\nexit"
    assert fault_in(text, strict=True).kind is FaultKind.MISALIGNED
    assert fault_in(f"*({size} *)(r1 + 1) = 7\nexit", strict=True).kind is FaultKind.MISALIGNED


@pytest.mark.parametrize(
    ("insns", "kind"),
    [
        ([Insn(0xFF)], FaultKind.BAD_INSN),
        ([Insn(0x07, 1, 0, 5, 1)], FaultKind.BAD_INSN),
        ([Insn(0xDB, 1, 1, 0, 0x77)], FaultKind.BAD_INSN),
        ([Insn(0xD4, 1, imm=17)], FaultKind.BAD_INSN),
        ([Insn(0x85, 0, 5)], FaultKind.BAD_INSN),
        ([Insn(0x18, 1, 1), Insn(0)], FaultKind.BAD_INSN),
        ([Insn(0x18, 1)], FaultKind.BAD_INSN),
        ([Insn(0x05, off=1), Insn(0x18, 1), Insn(0), Insn(0x95)], FaultKind.BAD_JUMP),
        ([Insn(0x05, off=100)], FaultKind.BAD_JUMP),
        ([Insn(0x05, off=-100)], FaultKind.BAD_JUMP),
        ([Insn(0x85, 0, 1, 0, -100)], FaultKind.BAD_JUMP),
    ],
)
def test_what_is_no_instruction_is_a_fault_when_it_is_reached(insns: list[Insn], kind: FaultKind) -> None:
    assert fault_of(insns).kind is kind


def test_the_moment_tells_where_the_program_was_and_how_it_came_there() -> None:
    fault = fault_in("r4 = 5\ncall f\nexit\nf:\nr0 = 1\nl:\nr0 += 1\nif r0 < 4 goto l\nr0 = *(u32 *)(r1 + 64)\nexit")
    moment = fault.moment
    assert moment is not None
    assert (moment.pc, moment.calls, moment.steps) == (6, (1,), 10)
    assert moment.trail == (0, 1, 3, 4, 5, 4, 5, 4, 5, 6)
    assert moment.registers[0] == 4
    assert moment.registers[6] is None
    assert moment.value == moment.registers[1]


def test_the_trail_keeps_the_latest_instructions() -> None:
    fault = fault_in("r0 = 0\nl:\nr0 += 1\nif r0 < 100 goto l\nr4 = r5\nexit")
    assert fault.moment is not None
    assert len(fault.moment.trail) == 16
    assert fault.moment.trail[-3:] == (1, 2, 3)


def test_a_faulting_store_changes_nothing() -> None:
    memory = Memory("little")
    with memory.scope() as scope:
        data = scope.add(RegionKind.BUFFER, bytearray(8))
        insns = assemble("*(u64 *)(r1 + 4) = -1\nr0 = 0\nexit", check=False).insns
        with pytest.raises(Fault, match="out of bounds"):
            Run(prepare(insns, memory), scope, arguments=(data.address,)).execute()
        assert bytes(data.data) == bytes(8)
