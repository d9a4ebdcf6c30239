"""A program with probes in it: every jump, call and reference led to where its target now is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import GOTOL, JA, LD_IMM64, InsnClass, Mode, Size, WideSource
from bpflab.asm.insn import Insn
from bpflab.coverage.flow import CannotInstrumentError
from bpflab.coverage.room import FRAME, Room
from bpflab.coverage.stack import free_place
from bpflab.sim.check.structure import called, is_jump, jump_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.coverage.flow import Branch
    from bpflab.coverage.probes import Probes

_STORE_BYTE: Final = InsnClass.ST | Mode.MEM | Size.B
_STORE_WORD: Final = InsnClass.STX | Mode.MEM | Size.DW
_LOAD_WORD: Final = InsnClass.LDX | Mode.MEM | Size.DW
_FARTHEST: Final = 1 << 15


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A program with probes: its instructions, where each slot of the original is led to, where each one lies.

    `references` are the slots whose immediate is to become the descriptor of the probes' map; `places` gives, for
    each slot of the original, the new one that jumps to it lead to (its probe, if it has one), and `bodies` the one
    that holds the instruction itself.
    """

    insns: tuple[Insn, ...]
    references: tuple[int, ...]
    places: dict[int, int]
    bodies: dict[int, int]


def needs_stack(probes: Probes) -> bool:
    """Tell whether some probe finds every register in use, so that one has to be put on the stack."""
    return _Writer(probes, Room(probes.flow), ()).crowded


def rewrite(probes: Probes, depths: Sequence[int] = ()) -> Rewritten:
    """Put the probes in. `depths` are the bytes of stack that each function uses, for those that need some.

    Raises CannotInstrumentError where there is no room, or a jump would become too long.
    """
    return _Writer(probes, Room(probes.flow), depths).write()


class _Writer:
    def __init__(self, probes: Probes, room: Room, depths: Sequence[int]) -> None:
        self.probes, self.flow, self.room, self.depths = probes, probes.flow, room, depths
        self.out: list[Insn] = []
        self.references: list[int] = []
        self.places: dict[int, int] = {}
        self.bodies: dict[int, int] = {}
        self.stubs: dict[int, int] = {}
        self.branches = {branch.slot: branch for branch in self.flow.branches}

    @property
    def crowded(self) -> bool:
        slots = {*self.probes.heads, *(self.branches[slot].way(taken=taken) for slot, taken in self.probes.edges)}
        return any(self.room.free(slot) is None for slot in slots)

    def write(self) -> Rewritten:
        for function, slots in enumerate(self.flow.function_slots()):
            for slot in slots[1]:
                self._copy(slot, function)
            for slot in slots[1]:
                self._stub(slot, function)
        self.places[len(self.flow.insns)] = len(self.out)
        for slot in self.flow.slots:
            self._lead(slot)
        return Rewritten(tuple(self.out), tuple(self.references), self.places, self.bodies)

    def _copy(self, slot: int, function: int) -> None:
        before = self.branches.get(slot - 1)
        if before is not None and self.probes.own(before, taken=False):
            self._probe(self.probes.edges[before.slot, False], slot, function)
        self.places[slot] = len(self.out)
        if slot in self.probes.heads:
            self._probe(self.probes.heads[slot], slot, function)
        self.bodies[slot] = len(self.out)
        self.out += self.flow.insns[slot : slot + (2 if self.flow.insns[slot].is_wide else 1)]

    def _stub(self, slot: int, function: int) -> None:
        """Write the probe of a taken edge behind the function, with a jump to where the edge leads."""
        branch = self.branches.get(slot)
        if branch is None or not self.probes.own(branch, taken=True):
            return
        self.stubs[slot] = len(self.out)
        self._probe(self.probes.edges[slot, True], branch.target, function)
        self._goto(branch)

    def _goto(self, branch: Branch) -> None:
        at = len(self.out)
        self.out.append(_jump(Insn(JA), self.places[branch.target] - at - 1))

    def _probe(self, number: int, slot: int, function: int) -> None:
        """Store 1 in a probe's byte, in a register that is free at the slot that follows."""
        reg = self.room.free(slot)
        place = None if reg is not None else self._place(function)
        reg = self.room.held(slot) if reg is None else reg
        if reg is None:
            raise CannotInstrumentError(f"no register is known to be free or set before instruction {slot}")
        if place is not None:
            self.out.append(Insn(_STORE_WORD, FRAME, reg, place))
        self.references.append(len(self.out))
        self.out += (Insn(LD_IMM64, reg, WideSource.MAP_VALUE), Insn(0, imm=number), Insn(_STORE_BYTE, reg, imm=1))
        if place is not None:
            self.out.append(Insn(_LOAD_WORD, reg, FRAME, place))

    def _place(self, function: int) -> int:
        depth = self.depths[function] if function < len(self.depths) else 0
        place = free_place(depth)
        if place is None:
            start = self.flow.functions[function]
            raise CannotInstrumentError(
                f"all registers are in use, and the function at instruction {start} uses {depth} bytes of its stack"
            )
        return place

    def _lead(self, slot: int) -> None:
        insn, at = self.flow.insns[slot], self.bodies[slot]
        target = called(self.flow.insns, slot)
        if target is not None:
            self.out[at] = replace(insn, imm=self.places[target] - at - 1)
        elif is_jump(insn):
            to = self.stubs.get(slot, self.places[jump_targets(self.flow.insns, slot)[0]])
            self.out[at] = _jump(insn, to - at - 1)


def _jump(insn: Insn, distance: int) -> Insn:
    """Give a jump its distance; an unconditional one becomes a long one where it must."""
    if insn.opcode == GOTOL:
        return replace(insn, imm=distance)
    if -_FARTHEST <= distance < _FARTHEST:
        return replace(insn, off=distance)
    if insn.opcode == JA:
        return Insn(GOTOL, imm=distance)
    raise CannotInstrumentError(f"a conditional jump would have to reach over {abs(distance)} instructions")
