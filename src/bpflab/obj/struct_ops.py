"""Structs of operations that an object implements: `struct tcp_congestion_ops cc SEC(".struct_ops")`.

Each variable of the sections `.struct_ops` and `.struct_ops.link` is one: its type is a struct of the kernel by name,
its pointers to functions name programs, and its other members are values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.prog_types import ProgType
from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.btf_layout import resolve, resolved
from bpflab.obj.core_compat import essential_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bpflab.obj.btf import Btf
    from bpflab.obj.elf import Elf, ElfRelocation, Section
    from bpflab.obj.functions import Functions
    from bpflab.obj.spec import ProgramSpec

SECTIONS: Final = {".struct_ops": False, ".struct_ops.link": True}
"""The sections, and whether what is in them is registered by a link."""


@dataclass(slots=True)
class OpsSpec:
    """A struct of operations: `data` laid out as the object's type `type_id`, `functions` the programs by member.

    `type_name` is the kernel's name of the struct. With `link` it is registered by a link, which can be pinned and
    updated, else by an update of its map. Values and functions may be changed until the object is loaded.
    """

    name: str
    type_name: str
    type_id: int
    data: bytearray
    functions: dict[str, str] = field(default_factory=dict)
    link: bool = False


def read_ops(elf: Elf, btf: Btf | None, functions: Functions) -> dict[str, OpsSpec]:
    """Read the structs of operations, by name; ObjectError for a section that BTF does not describe."""
    found: dict[str, OpsSpec] = {}
    for section in (elf.by_name[name] for name in SECTIONS if name in elf.by_name):
        if btf is None:
            raise ObjectError(f"{section.name} defines operations, and the object has no BTF. Compile with -g.")
        relocations = elf.relocations.get(section.index, ())
        for variable in _variables(btf, section):
            one = _ops(btf, section, variable)
            start, end = variable.offset, variable.offset + len(one.data)
            mine = (each for each in relocations if start <= each.offset < end)
            one.functions = dict(_function(btf, one, start, each, functions) for each in mine)
            found[one.name] = one
    return found


def _variables(btf: Btf, section: Section) -> tuple[t.SectionVariable, ...]:
    type_id = btf.find(section.name, BtfKind.DATASEC)
    if type_id is None:
        raise ObjectError(f"{section.name} defines operations, and the BTF does not describe it. Compile with -g.")
    return btf.get(type_id, t.Datasec).variables


def _ops(btf: Btf, section: Section, variable: t.SectionVariable) -> OpsSpec:
    var = btf.get(variable.type_id, t.Var)
    struct = resolved(btf, var.type_id)
    if not isinstance(struct, t.Struct) or not struct.name:
        raise ObjectError(f"{var.name!r} in {section.name} is {struct.kind.name} {struct.name!r}; expected a struct.")
    data = section.data[variable.offset : variable.offset + struct.size]
    if len(data) != struct.size:
        raise ObjectError(f"{var.name!r} takes {struct.size} bytes, of which {section.name} holds {len(data)}.")
    type_id = resolve(btf, var.type_id)
    return OpsSpec(var.name, essential_name(struct.name), type_id, bytearray(data), link=SECTIONS[section.name])


def _function(btf: Btf, one: OpsSpec, start: int, relocation: ElfRelocation, functions: Functions) -> tuple[str, str]:
    """Return the member that a relocation fills, and the program that it puts there."""
    symbol, offset = relocation.symbol, relocation.offset - start
    member = next((each.name for each in pointers(btf, one.type_id) if each.bit_offset == 8 * offset), None)
    if member is None or not functions.holds(symbol.section):
        raise ObjectError(f"{one.name!r} has {symbol.name!r} at byte {offset}, where no pointer to a program is.")
    return member, functions.at(symbol.section, symbol.value).name


def implementing(programs: Mapping[str, ProgramSpec], ops: Iterable[OpsSpec]) -> dict[str, ProgramSpec]:
    """Tell programs what they implement; ObjectError for one that is to be two different things, or is no such program.

    A program may stand in several structs of one type, as the same member.
    """
    found = dict[str, tuple[str, str]]()
    for one in ops:
        for member, name in one.functions.items():
            wanted = one.type_name, member
            if name not in programs or programs[name].type is not ProgType.STRUCT_OPS:
                raise ObjectError(f"{name!r} is {member!r} of {one.name!r}; put it in SEC('struct_ops/{member}').")
            if found.setdefault(name, wanted) != wanted:
                there = ".".join(found[name])
                raise ObjectError(f"program {name!r} is {there} and {'.'.join(wanted)}; make it two programs.")
    return {name: replace(each, implements=found.get(name)) for name, each in programs.items()}


def pointers(btf: Btf, type_id: int) -> Iterator[t.Member]:
    """List the members of a struct that are pointers to functions."""
    for member in btf.get(type_id, t.Struct).members:
        found = resolved(btf, member.type_id)
        if isinstance(found, t.Pointer) and isinstance(resolved(btf, found.type_id), t.FuncProto):
            yield member
