"""Instructions per second of the simulated kernel's interpreter, by class of instruction, and calls of helpers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from traffic import PACKET

from bpflab import Lab
from bpflab.abi.insn import EXIT, LD_IMM64, AluOp, AtomicOp, InsnClass, JmpOp, Mode, Size, Source
from bpflab.asm.insn import Insn
from bpflab.sim.engine import Run, prepare
from bpflab.sim.memory import Memory, RegionKind

if TYPE_CHECKING:
    from effort import Effort
    from measure import Measure

MOVE, ADD, AND = (InsnClass.ALU64 | op for op in (AluOp.MOV, AluOp.ADD, AluOp.AND))
LDX, STX = InsnClass.LDX | Mode.MEM, InsnClass.STX | Mode.MEM
REPEATS = 100
"""How often a program's body runs before it exits."""

CONTEXT, VALUE = 6, 7
"""Registers that hold the context and a map's value, in every body."""

PACKET_PARSER = [
    Insn(LDX | Size.DW, 2, CONTEXT, 0),
    Insn(LDX | Size.DW, 3, CONTEXT, 8),
    Insn(MOVE | Source.X, 4, 2),
    Insn(ADD, 4, imm=14),
    Insn(InsnClass.JMP | JmpOp.JGT | Source.X, 4, 3, 17),
    Insn(LDX | Size.H, 5, 2, 12),
    Insn(InsnClass.ALU | AluOp.END | Source.X, 5, imm=16),
    Insn(InsnClass.JMP | JmpOp.JEQ, 5, 0, 14, 0x86DD),
    Insn(ADD, 4, imm=20),
    Insn(InsnClass.JMP | JmpOp.JGT | Source.X, 4, 3, 12),
    Insn(LDX | Size.B, 5, 2, 23),
    Insn(STX | Size.W, 10, 5, -4),
    Insn(LDX | Size.W, 0, 2, 26),
    Insn(STX | Size.DW, 10, 0, -16),
    Insn(LDX | Size.W, 5, 10, -4),
    Insn(InsnClass.ALU64 | AluOp.LSH, 5, imm=3),
    Insn(AND, 5, imm=0x38),
    Insn(MOVE | Source.X, 1, VALUE),
    Insn(ADD | Source.X, 1, 5),
    Insn(LDX | Size.DW, 0, 1, 0),
    Insn(ADD, 0, imm=1),
    Insn(STX | Size.DW, 1, 0, 0),
]

CLASSES = {
    "mixed": PACKET_PARSER,
    "alu64_register": [Insn(ADD | Source.X, 0, 8)] * 20,
    "alu64_immediate": [Insn(ADD, 0, imm=3)] * 20,
    "alu32": [Insn(InsnClass.ALU | AluOp.ADD | Source.X, 0, 8)] * 20,
    "move": [Insn(MOVE | Source.X, 0, 8)] * 20,
    "jump": [Insn(InsnClass.JMP | JmpOp.JEQ, 8, 0, 0, 77)] * 20,
    "byte_swap": [Insn(InsnClass.ALU | AluOp.END | Source.X, 0, imm=32)] * 20,
    "load_map_value": [Insn(LDX | Size.W, 0, VALUE, 4)] * 20,
    "load_stack": [Insn(STX | Size.DW, 10, 8, -8), *[Insn(LDX | Size.DW, 0, 10, -8)] * 20],
    "store_map_value": [Insn(STX | Size.W, VALUE, 8, 4)] * 20,
    "store_stack": [Insn(STX | Size.DW, 10, 8, -8)] * 20,
    "atomic": [Insn(InsnClass.STX | Mode.ATOMIC | Size.DW, VALUE, 8, 8, AtomicOp.FETCH_ADD)] * 20,
    "helper_call": [Insn(InsnClass.JMP | JmpOp.CALL, imm=1)] * 20,
}

HELPERS = {
    "none": "r0 = 0",
    "ktime_get_ns": "call bpf_ktime_get_ns",
    "get_smp_processor_id": "call bpf_get_smp_processor_id",
    "get_prandom_u32": "call bpf_get_prandom_u32",
    "map_lookup_elem": "r1 = map[fd:{hash}]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem",
    "map_update_elem": "r1 = map[fd:{hash}]\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -16\nr4 = 0\ncall bpf_map_update_elem",
    "csum_diff": "r1 = r10\nr1 += -16\nr2 = 8\nr3 = r10\nr3 += -16\nr4 = 8\nr5 = 0\ncall bpf_csum_diff",
    "ringbuf_output": "r1 = map[fd:{ring}]\nr2 = r10\nr2 += -16\nr3 = 8\nr4 = 0\ncall bpf_ringbuf_output",
}
"""Calls as a program makes them, arguments included."""
CALLS = 30


def looped(body: Sequence[Insn]) -> list[Insn]:
    """Run the body `REPEATS` times, with numbers in r0 and r8, and r9 as the counter."""
    jump_back = Insn(InsnClass.JMP | JmpOp.JNE, 9, 0, -len(body) - 2, 0)
    start = [Insn(MOVE | Source.X, CONTEXT, 1), Insn(LD_IMM64, VALUE), Insn(0), Insn(MOVE, 8, imm=12345)]
    start += [Insn(MOVE, 0), Insn(MOVE, 9, imm=REPEATS)]
    return [*start, *body, Insn(ADD, 9, imm=-1), jump_back, Insn(EXIT)]


@pytest.mark.parametrize("name", CLASSES)
def test_instructions(measure: Measure, name: str) -> None:
    """The interpreter alone; compared with moves, the cheapest class."""
    memory = Memory(sys.byteorder)
    value = memory.add(RegionKind.MAP_VALUE, bytearray(64))
    program = prepare(looped(CLASSES[name]), memory, helpers={1: lambda *_: 0}, addresses={1: value.address})
    with memory.scope() as scope:
        region = scope.add(RegionKind.PACKET, bytearray(bytes(12) + b"\x08\x00\x45" + bytes(50)))
        pointers = region.start.to_bytes(8, sys.byteorder) + region.end.to_bytes(8, sys.byteorder)
        context = scope.add(RegionKind.CONTEXT, bytearray(pointers))

        def execute() -> int:
            run = Run(program, scope, arguments=(context.address,))
            run.execute()
            return run.steps

        steps = execute()
        measure(
            {"bpflab": execute},
            group="interpreter",
            subject=name,
            operations=steps,
            baseline="" if name == "move" else "test_instructions[move]",
        )


@pytest.mark.parametrize("helper", HELPERS)
def test_helper_calls(measure: Measure, effort: Effort, helper: str) -> None:
    """Thirty calls in a run on the simulated kernel; compared with a run of no call."""
    with Lab("sim") as lab:
        fds = {
            "hash": lab.map("hash", key="u32", value="u64", max_entries=8).fileno(),
            "ring": lab.map("ringbuf", max_entries=1 << 22).fileno(),
        }
        start = ["r6 = 0", "*(u64 *)(r10 - 16) = r6", "*(u64 *)(r10 - 8) = r6"]
        code = "\n".join([*start, *[HELPERS[helper].format(**fds)] * CALLS, "r0 = 2", "exit"])
        program, count = lab.program(code, type="xdp"), effort.count(kernel=40, sim=8)

        def run() -> None:
            for _ in range(count):
                program.run(PACKET)

        measure(
            {"bpflab": run},
            group="helper calls on the simulated kernel",
            subject=helper,
            operations=count * CALLS,
            baseline="" if helper == "none" else "test_helper_calls[none]",
        )
