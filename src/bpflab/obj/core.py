"""CO-RE: make the programs of an object fit the types of a kernel.

A program was compiled against its own idea of the kernel's types. For each instruction that depends on one, the
type is looked up in the kernel's BTF by name, the field by the names on the way to it, and the instruction is
changed to what they are there. Where the kernel has no such thing, questions of existence are answered with 0,
and other instructions poisoned: the verifier refuses them unless the program never comes there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bpflab.abi.core import CoreKind
from bpflab.abi.insn import CLASS_MASK, InsnClass
from bpflab.errors import BpfError, ObjectError
from bpflab.obj.btf import Btf
from bpflab.obj.core_access import Access, local_enumerator, local_field, target_enumerator, target_field
from bpflab.obj.core_compat import Pair, essential_name, same_kind, types_compatible
from bpflab.obj.core_match import types_match
from bpflab.obj.core_patch import can_resize, patch, poison
from bpflab.obj.core_values import Answer, answer, answer_missing
from bpflab.obj.insns import Code
from bpflab.obj.relocations import Poisoned
from bpflab.obj.symbols import Symbols

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from bpflab.obj.relocations import CoreRelocation
    from bpflab.obj.spec import ObjectSpec, ProgramSpec

_MEMORY = (InsnClass.LDX, InsnClass.ST, InsnClass.STX)


def relocate(
    spec: ObjectSpec,
    target: Btf,
    *,
    addresses: Mapping[str, int] | None = None,
    programs: Collection[str] | None = None,
) -> ObjectSpec:
    """Give the spec with every question about a kernel answered from its BTF; `spec` stays as it is.

    Answered are CO-RE relocations, functions and variables of the kernel, and symbols without a type from
    `addresses` (of `spec.needs_addresses`; `bpflab.obj.symbols.read_addresses` reads the running kernel's).
    `programs` names those to change, by default all.
    Raises ObjectError, which names the program, where a relocation is malformed or does not fit its
    instruction, where the kernel has several types of the name that would give different answers, and where it
    lacks a symbol that is not weak.
    """
    if not spec.needs_kernel_types:
        return spec
    local = Btf(spec.btf or b"")
    if local.byteorder != target.byteorder:
        raise ObjectError(f"{spec.name}: {local.byteorder}-endian programs do not fit {target.byteorder}-endian types.")
    core, symbols = _Core(local, target), Symbols(Pair(local, target), spec.externs, addresses or {})
    chosen = spec.programs if programs is None else programs
    fitted = {name: symbols.resolve(core.relocate(spec.program(name))) for name in chosen}
    return replace(spec, programs={**spec.programs, **fitted})


def keep_own_types(spec: ObjectSpec) -> ObjectSpec:
    """Give the spec as for a kernel whose types are those the programs were compiled with: nothing is missing.

    Only questions about types are settled by this; symbols of the kernel stay relocations.
    """
    programs = {name: replace(each, core_relocations=()) for name, each in spec.programs.items()}
    return replace(spec, programs=programs)


class _Core:
    """Relocations of one object for one kernel; each question is answered once."""

    def __init__(self, local: Btf, target: Btf) -> None:
        self._local = local
        self._pair = Pair(local, target)
        self._candidates: dict[int, tuple[int, ...]] = {}
        self._answers: dict[tuple[CoreKind, int, str], tuple[Access, Answer | None]] = {}

    def relocate(self, program: ProgramSpec) -> ProgramSpec:
        code, poisoned = Code(program.insns, self._local.byteorder), list(program.poisoned)
        for each in program.core_relocations:
            try:
                reason = self._apply(code, each)
            except BpfError as problem:
                raise ObjectError(f"{_where(program, each.insn)}: {problem}") from problem
            if reason:
                poison(code, each.insn)
                poisoned.append(Poisoned(each.insn, reason))
        return replace(program, insns=bytes(code.data), core_relocations=(), poisoned=tuple(poisoned))

    def _apply(self, code: Code, each: CoreRelocation) -> str:
        """Patch an instruction, or give the reason why it is to be poisoned."""
        if each.insn >= len(code):
            raise ObjectError("a CO-RE relocation names an instruction past the end of the program.")
        access, found = self._answer(each)
        if found is None:
            return f"the kernel has no {_described(each.kind)} {access}"
        wanted = answer(each.kind, access)
        memory = code.opcode(each.insn) & CLASS_MASK in _MEMORY
        if memory and not can_resize(self._local, wanted, self._pair.target, found):
            return f"{access} has {found.size} bytes in the kernel, and cannot be accessed as {wanted.size}"
        patch(code, each.insn, wanted, found)
        return ""

    def _answer(self, each: CoreRelocation) -> tuple[Access, Answer | None]:
        key = (each.kind, each.type_id, each.access)
        if key not in self._answers:
            access = self._access(each)
            self._answers[key] = access, self._from_target(each.kind, access)
        return self._answers[key]

    def _access(self, each: CoreRelocation) -> Access:
        """Find out what the relocation means in the program's own types."""
        if each.kind.about_field:
            return local_field(self._local, each.type_id, each.access)
        if each.kind.about_enumerator:
            return local_enumerator(self._local, each.type_id, each.access)
        return Access(self._local, each.type_id)

    def _from_target(self, kind: CoreKind, access: Access) -> Answer | None:
        if kind is CoreKind.TYPE_ID_LOCAL:
            return answer(kind, access)
        chosen: tuple[Access, Answer] | None = None
        for found in self._found(kind, access):
            given = found, answer(kind, found)
            if chosen is not None:
                _agree(kind, chosen, given)
            chosen = chosen or given
        return chosen[1] if chosen else answer_missing(kind)

    def _found(self, kind: CoreKind, access: Access) -> Iterator[Access]:
        """Find what the relocation means in each of the kernel's types that may be meant."""
        target = self._pair.target
        for root in self._of_that_name(access.root):
            if kind.about_field:
                found = target_field(access, target, root)
            elif kind.about_enumerator:
                found = target_enumerator(access, target, root)
            else:
                fits = types_match if kind is CoreKind.TYPE_MATCHES else types_compatible
                found = Access(target, root) if fits(self._pair, access.root, root) else None
            if found is not None:
                yield found

    def _of_that_name(self, root: int) -> tuple[int, ...]:
        """Find the kernel's types of a name and kind, flavours of names aside."""
        if root not in self._candidates:
            wanted, target = self._local[root], self._pair.target
            if not wanted.name:
                raise ObjectError(f"a CO-RE relocation asks about type {root}, which has no name to look it up by.")
            name = essential_name(wanted.name)
            self._candidates[root] = tuple(
                each
                for each in target.flavours(name)
                if essential_name(target.name(each)) == name and same_kind(wanted, target[each])
            )
        return self._candidates[root]


def _agree(kind: CoreKind, one: tuple[Access, Answer], other: tuple[Access, Answer]) -> None:
    """Refuse two types of the kernel that would make different programs."""
    if one[0].bit_offset != other[0].bit_offset or one[1].value != other[1].value:
        raise ObjectError(
            f"{_described(kind)} {one[0]} is ambiguous: the kernel's types {one[0].root} and {other[0].root} of that "
            f"name give {one[1].value} and {other[1].value}."
        )


def _described(kind: CoreKind) -> str:
    if kind.about_enumerator:
        return "enum value"
    return "field" if kind.about_field else "type"


def _where(program: ProgramSpec, insn: int) -> str:
    line = program.line_at(insn)
    place = f", {line.file}:{line.line}" if line else ""
    return f"program {program.name!r}, instruction {insn}{place}"
