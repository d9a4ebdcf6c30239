"""Where the contents of registers and stack came from, followed from instruction to instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import (
    CALL,
    EXIT,
    MODE_MASK,
    SIZE_MASK,
    AluOp,
    AtomicOp,
    CallSource,
    InsnClass,
    Mode,
    Size,
    Source,
    WideSource,
)
from bpflab.sim.memory import RegionKind
from bpflab.trace.pointers import context_field
from bpflab.trace.values import PacketBits, Value, computed, packet_value, swapped

if TYPE_CHECKING:
    from bpflab.sim.engine import Step
    from bpflab.sim.programs import SimProgram
    from bpflab.trace.pointers import Pointers

REGISTERS: Final = 11
WIDEST: Final = 8
WORD: Final = (1 << 64) - 1


class Origins:
    """The values of one run's registers, frame by frame, and of its memory, as far as they are known.

    `follow` has to be given every step in order. A name is kept only with the number that it was given to, so that
    one that went stale is never shown.
    """

    def __init__(self, pointers: Pointers, order: str) -> None:
        self._pointers = pointers
        self._little = order == "little"
        self._frames: list[list[Value | None]] = [[None] * REGISTERS]
        self._memory: dict[int, tuple[int, Value]] = {}
        self._copies: list[tuple[int, int, int]] = []

    def register(self, reg: int, number: int) -> Value:
        """Return what is known of a register that holds this number."""
        known = self._frames[-1][reg]
        return known if known is not None and known.number == number else Value(number)

    def operand(self, step: Step) -> Value:
        """Return the second operand of an ALU or jump instruction."""
        insn = step.insn
        if insn.opcode & Source.X:
            return self.register(insn.src, step.before[insn.src] or 0)
        return Value(insn.imm & WORD, constant=True)

    def stored(self, address: int, size: int, number: int) -> Value:
        """Return what is known of bytes in memory that hold this number."""
        known = self._memory.get(address)
        if known and known[0] == size and known[1].number == number:
            return known[1]
        for start, stop, offset in self._copies:
            if start <= address and address + size <= stop:
                return self._field(offset + address - start, size, number)
        return Value(number)

    def follow(self, step: Step, program: SimProgram) -> None:
        """Take in what a step did."""
        self._to_depth(step.depth)
        insn, registers = step.insn, self._frames[-1]
        if insn.opcode == CALL and insn.src == CallSource.SUBPROG:
            self._frames.append([None, *registers[1:6], *[None] * 5])
        elif insn.opcode == EXIT:
            self._leave()
        elif insn.opcode == CALL:
            registers[0:6] = [None] * 6
        elif insn.cls in {InsnClass.ST, InsnClass.STX}:
            self._store(step)
        elif insn.cls not in {InsnClass.JMP, InsnClass.JMP32}:
            number = step.after[insn.dst]
            registers[insn.dst] = None if number is None else self._result(step, number, program)
        for effect in step.effects:
            self._forget(effect.address, len(effect.data))

    def returned(self, value: Value) -> None:
        """Note what a helper put into r0."""
        self._frames[-1][0] = value

    def copied(self, address: int, size: int, offset: int) -> None:
        """Note that a helper copied bytes of the packet, from `offset` on, to memory."""
        self._copies.append((address, address + size, offset))

    def switched(self) -> None:
        """Forget all but what is in memory: a tail call began another program."""
        self._frames[-1] = [None] * REGISTERS

    def _to_depth(self, depth: int) -> None:
        while len(self._frames) <= depth:
            self._frames.append([None] * REGISTERS)
        del self._frames[depth + 1 :]

    def _leave(self) -> None:
        if len(self._frames) > 1:
            result = self._frames.pop()[0]
            self._frames[-1][0:6] = [result, *[None] * 5]

    def _store(self, step: Step) -> None:
        insn, write = step.insn, step.write
        if insn.opcode & MODE_MASK == Mode.ATOMIC:
            self._fetched(step)
        if write is None:
            return
        source = self.register(insn.src, step.before[insn.src] or 0) if insn.cls == InsnClass.STX else None
        self._forget(write.address, len(write.data))
        number = int.from_bytes(write.data, "little" if self._little else "big")
        if source and source.name and source.number == number and insn.opcode & MODE_MASK != Mode.ATOMIC:
            self._memory[write.address] = len(write.data), source

    def _fetched(self, step: Step) -> None:
        target = 0 if step.insn.imm == AtomicOp.CMPXCHG else step.insn.src
        self._frames[-1][target if step.insn.imm != AtomicOp.LOAD_ACQ else step.insn.dst] = None

    def _forget(self, address: int, size: int) -> None:
        for near in range(address - WIDEST + 1, address + size):
            if near in self._memory and near + self._memory[near][0] > address:
                del self._memory[near]
        self._copies = [each for each in self._copies if address >= each[1] or address + size <= each[0]]

    def _result(self, step: Step, number: int, program: SimProgram) -> Value:
        insn = step.insn
        if insn.cls == InsnClass.LDX:
            return self._load(step, number, program)
        if insn.cls == InsnClass.LD:
            if insn.opcode & MODE_MASK != Mode.IMM:
                return self._packet_load(step, number)
            return Value(
                number, constant=insn.src == WideSource.IMM and program.spec.insns[step.pc].src == WideSource.IMM
            )
        return self._arithmetic(step, number)

    def _load(self, step: Step, number: int, program: SimProgram) -> Value:
        insn, original = step.insn, program.spec.insns[step.pc]
        base = step.before[insn.src] or 0
        address, size = (base + insn.off) & WORD, Size(insn.opcode & SIZE_MASK).width
        region = self._pointers.region(address)
        if region is None:
            return Value(number)
        offset = self._pointers.packet.offset(address)
        if offset is not None and offset >= 0:
            return self._field(offset, size, number)
        if region.kind == RegionKind.CONTEXT:
            return Value(number, context_field(program, (base - region.address + original.off) & WORD))
        if region.kind == RegionKind.MAP_VALUE:
            return Value(number, self._pointers.place(address, size))
        return self.stored(address, size, number)

    def _packet_load(self, step: Step, number: int) -> Value:
        insn = step.insn
        indirect = (step.before[insn.src] or 0) if insn.opcode & MODE_MASK == Mode.IND else 0
        offset, size = indirect + insn.imm, Size(insn.opcode & SIZE_MASK).width
        return (
            packet_value(number, self._pointers.packet.names, PacketBits(offset * 8, size * 8))
            if offset >= 0
            else Value(number)
        )

    def _field(self, offset: int, size: int, number: int) -> Value:
        bits = PacketBits(offset * 8, size * 8, swapped=size if self._little and size > 1 else 0)
        return packet_value(number, self._pointers.packet.names, bits)

    def _arithmetic(self, step: Step, number: int) -> Value:
        insn = step.insn
        right = self.operand(step)
        if insn.operation == AluOp.MOV:
            return (
                Value(number, right.name, right.bits, right.form, right.constant)
                if right.number == number
                else Value(number)
            )
        left = self.register(insn.dst, step.before[insn.dst] or 0)
        if insn.operation == AluOp.END:
            turns = insn.cls == InsnClass.ALU64 or bool(insn.opcode & Source.X) == self._little
            return swapped(left, number, insn.imm // 8, self._pointers.packet.names) if turns else left
        if self._pointers.region(number) is not None and not left.bits:
            return Value(number)
        return computed(insn.operation, left, right, number, self._pointers.packet.names)
