"""Which kernel an object needs at least, and for what of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.helpers import table
from bpflab.abi.insn import CALL, MAY_GOTO, MODE_MASK, AluOp, AtomicOp, CallSource, InsnClass, JmpOp, Mode, WideSource
from bpflab.abi.versions import ATTACH_TYPES, FEATURES, MAPS, PROGRAMS
from bpflab.asm.insn import decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpflab.abi.layout import ByteOrder
    from bpflab.abi.versions import Version
    from bpflab.asm.insn import Insn
    from bpflab.obj.spec import ObjectSpec, ProgramSpec

ORDERED: Final = frozenset({AtomicOp.LOAD_ACQ, AtomicOp.STORE_REL})
PLAIN_ATOMICS: Final = frozenset({AtomicOp.ADD})
CALLS: Final[Mapping[int, str]] = {
    CallSource.SUBPROG: "functions of its own",
    CallSource.KFUNC: "functions of the kernel",
}
WIDE: Final[Mapping[int, str]] = {WideSource.FUNC: "callbacks", WideSource.BTF_ID: "variables of the kernel"}
JUMPS_OVER_32: Final = InsnClass.JMP32 | JmpOp.JA


@dataclass(frozen=True, order=True, slots=True)
class Need:
    """Something that came with a version of the kernel, and who needs it."""

    version: Version
    what: str
    who: str

    @property
    def kernel(self) -> str:
        """The version as it is written: `5.10`."""
        return f"{self.version[0]}.{self.version[1]}"


def needs(spec: ObjectSpec) -> list[Need]:
    """Return what the object needs of a kernel, the newest first; the first one's version is the least kernel.

    What the verifier learned to prove is not seen here: an older kernel may refuse a program all the same.
    """
    found = set(_of_maps(spec))
    for program in spec.programs.values():
        found.update(_of_program(program, spec.byteorder))
    return sorted(found, reverse=True)


def _of_maps(spec: ObjectSpec) -> Iterator[Need]:
    for name, each in spec.maps.items():
        if each.data is not None:
            yield Need(FEATURES["global variables"], "global variables", name)
        elif each.type in MAPS:
            yield Need(MAPS[each.type], f"map type {each.type.name}", name)


def _of_program(program: ProgramSpec, byteorder: ByteOrder) -> Iterator[Need]:
    if program.type in PROGRAMS:
        yield Need(PROGRAMS[program.type], f"program type {program.type.name}", program.name)
    if program.attach_type is not None and program.attach_type in ATTACH_TYPES:
        yield Need(ATTACH_TYPES[program.attach_type], f"attach type {program.attach_type.name}", program.name)
    features = {"sleepable programs": program.sleepable, "packets in fragments": program.xdp_frags}
    for feature in [name for name, used in features.items() if used]:
        yield Need(FEATURES[feature], feature, program.name)
    for insn in decode(program.insns, byteorder):
        yield from _of_insn(program, insn)


def _of_insn(program: ProgramSpec, insn: Insn) -> Iterator[Need]:
    if insn.opcode == CALL and insn.src == CallSource.HELPER and insn.imm in table():
        row = table().helper(insn.imm)
        yield Need(row.since, f"helper bpf_{row.name}", program.name)
    feature = _feature(insn)
    if feature:
        yield Need(FEATURES[feature], feature, program.name)


def _feature(insn: Insn) -> str:
    if insn.opcode == CALL:
        return CALLS.get(insn.src, "")
    if insn.is_wide:
        return WIDE.get(insn.src, "")
    if insn.opcode == MAY_GOTO:
        return "may_goto"
    if insn.cls is InsnClass.STX and insn.opcode & MODE_MASK == Mode.ATOMIC:
        return _atomic(insn)
    if _is_version_4(insn):
        return "instructions of version 4"
    return "jumps that compare 32 bits" if insn.cls is InsnClass.JMP32 else ""


def _atomic(insn: Insn) -> str:
    if insn.imm in ORDERED:
        return "load-acquire and store-release"
    return "" if insn.imm in PLAIN_ATOMICS else "atomic operations that fetch"


def _is_version_4(insn: Insn) -> bool:
    if insn.cls is InsnClass.LDX:
        return insn.opcode & MODE_MASK == Mode.MEMSX
    if insn.opcode == JUMPS_OVER_32:
        return True
    if insn.cls not in {InsnClass.ALU, InsnClass.ALU64}:
        return False
    signed = insn.operation in {AluOp.DIV, AluOp.MOD, AluOp.MOV} and insn.off
    return bool(signed) or (insn.cls is InsnClass.ALU64 and insn.operation == AluOp.END)


def least_kernel(spec: ObjectSpec) -> Version:
    """Return the least kernel, as far as `needs` can tell."""
    return max((need.version for need in needs(spec)), default=(3, 19))
