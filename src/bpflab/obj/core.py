"""CO-RE: make the programs of an object fit the types of a kernel.

A program was compiled against its own idea of the kernel's types. For each instruction that depends on one, the
type is looked up in the kernel's BTF by name, the field by the names on the way to it, and the instruction is
changed to what they are there. Where the kernel has no such thing, questions of existence are answered with 0,
and other instructions poisoned: the verifier refuses them unless the program never comes there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from bpflab.obj.kernel_types import KernelTypes
from bpflab.obj.relocations import Poisoned
from bpflab.obj.symbols import Symbols

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from bpflab.obj.kernel_types import Found, Modules
    from bpflab.obj.relocations import CoreRelocation
    from bpflab.obj.spec import ObjectSpec, ProgramSpec

_MEMORY = (InsnClass.LDX, InsnClass.ST, InsnClass.STX)


def relocate(
    spec: ObjectSpec,
    target: Btf,
    *,
    addresses: Mapping[str, int] | None = None,
    programs: Collection[str] | None = None,
    modules: Callable[[], Modules] | None = None,
) -> ObjectSpec:
    """Give the spec with every question about a kernel answered from its BTF; `spec` stays as it is.

    Answered are CO-RE relocations, functions and variables of the kernel, and symbols without a type from
    `addresses` (of `spec.needs_addresses`; `bpflab.obj.symbols.read_addresses` reads the running kernel's).
    `programs` names those to change, by default all. `modules` is asked for the kernel's modules when a type or
    symbol is not in `target`; descriptors of their BTF are left to be filled in, see `ObjectSpec.modules` and
    RelocationKind.MODULE_BTF.
    Raises ObjectError, which names the program, where a relocation is malformed or does not fit its
    instruction, where the kernel has several types of the name that would give different answers, and where it
    lacks a symbol that is not weak.
    """
    if not spec.needs_kernel_types:
        return spec
    local = Btf(spec.btf or b"")
    if local.byteorder != target.byteorder:
        raise ObjectError(f"{spec.name}: {local.byteorder}-endian programs do not fit {target.byteorder}-endian types.")
    kernel = KernelTypes(target, modules)
    core, symbols = _Core(local, kernel), Symbols(local, kernel, spec.externs, addresses or {})
    chosen = {name: spec.program(name) for name in (spec.programs if programs is None else programs)}
    symbols.number_modules(chosen.values())
    fitted = {name: symbols.resolve(core.relocate(each)) for name, each in chosen.items()}
    return replace(spec, programs={**spec.programs, **fitted}, modules=tuple(symbols.modules))


def keep_own_types(spec: ObjectSpec) -> ObjectSpec:
    """Give the spec as for a kernel whose types are those the programs were compiled with: nothing is missing.

    Only questions about types are settled by this; symbols of the kernel stay relocations.
    """
    programs = {name: replace(each, core_relocations=()) for name, each in spec.programs.items()}
    return replace(spec, programs=programs)


class _Core:
    """Relocations of one object for one kernel; each question is answered once."""

    def __init__(self, local: Btf, kernel: KernelTypes) -> None:
        self._local = local
        self._kernel = kernel
        self._candidates: dict[int, tuple[Found, ...]] = {}
        self._answers: dict[tuple[CoreKind, int, str], tuple[Access, _Choice | None]] = {}

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
        access, choice = self._answer(each)
        if choice is None:
            looked = "" if self._of_that_name(access.root) else f" ({self._kernel.looked_through})"
            return f"the kernel has no {_described(each.kind)} {access}{looked}"
        wanted, found = answer(each.kind, access), choice.answer
        memory = code.opcode(each.insn) & CLASS_MASK in _MEMORY
        if memory and not can_resize(self._local, wanted, choice.access.btf, found):
            return f"{access} has {found.size} bytes in the kernel, and cannot be accessed as {wanted.size}"
        patch(code, each.insn, wanted, found)
        return ""

    def _answer(self, each: CoreRelocation) -> tuple[Access, _Choice | None]:
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

    def _from_target(self, kind: CoreKind, access: Access) -> _Choice | None:
        if kind is CoreKind.TYPE_ID_LOCAL:
            return _Choice(access, answer(kind, access))
        chosen: _Choice | None = None
        for place, found in self._found(kind, access):
            given = _Choice(found, answer(kind, found), str(place))
            if chosen is not None:
                _agree(kind, chosen, given)
            chosen = chosen or given
        missing = answer_missing(kind)
        return chosen or (None if missing is None else _Choice(access, missing))

    def _found(self, kind: CoreKind, access: Access) -> Iterator[tuple[Found, Access]]:
        """Find what the relocation means in each of the kernel's types that may be meant."""
        for place in self._of_that_name(access.root):
            target, root = place.btf, place.type_id
            if kind.about_field:
                found = target_field(access, target, root)
            elif kind.about_enumerator:
                found = target_enumerator(access, target, root)
            else:
                fits = types_match if kind is CoreKind.TYPE_MATCHES else types_compatible
                found = Access(target, root) if fits(Pair(self._local, target), access.root, root) else None
            if found is not None:
                yield place, found

    def _of_that_name(self, root: int) -> tuple[Found, ...]:
        """Find the kernel's types of a name and kind, flavours of names aside."""
        if root not in self._candidates:
            wanted = self._local[root]
            if not wanted.name:
                raise ObjectError(f"a CO-RE relocation asks about type {root}, which has no name to look it up by.")
            name = essential_name(wanted.name)
            self._candidates[root] = self._kernel.types(
                name, lambda btf, each: essential_name(btf.name(each)) == name and same_kind(wanted, btf[each])
            )
        return self._candidates[root]


@dataclass(frozen=True, slots=True)
class _Choice:
    """The answer of a kernel, and the way into its types by which it was found; `place` names the type there."""

    access: Access
    answer: Answer
    place: str = ""


def _agree(kind: CoreKind, one: _Choice, other: _Choice) -> None:
    """Refuse two types of the kernel that would make different programs."""
    if one.access.bit_offset != other.access.bit_offset or one.answer.value != other.answer.value:
        raise ObjectError(
            f"{_described(kind)} {one.access} is ambiguous: the kernel's types {one.place} and {other.place} of that "
            f"name give {one.answer.value} and {other.answer.value}."
        )


def _described(kind: CoreKind) -> str:
    if kind.about_enumerator:
        return "enum value"
    return "field" if kind.about_field else "type"


def _where(program: ProgramSpec, insn: int) -> str:
    line = program.line_at(insn)
    place = f", {line.file}:{line.line}" if line else ""
    return f"program {program.name!r}, instruction {insn}{place}"
