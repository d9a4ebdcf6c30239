"""What an object wants of the kernel: values of its configuration, variables, functions, addresses.

Clang describes them in the BTF sections .kconfig and .ksyms, which are in no ELF section. Their BTF is changed as
libbpf changes it: the kernel refuses extern variables and functions when it is given them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind, FuncLinkage, IntEncoding, VarLinkage
from bpflab.abi.flags import MapFlag
from bpflab.abi.map_types import MapType
from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.btf import Btf
from bpflab.obj.btf_encode import encode
from bpflab.obj.btf_layout import align_of, resolve, resolved, size_of
from bpflab.obj.data_maps import kernel_name
from bpflab.obj.relocations import Extern, ExternKind
from bpflab.obj.spec import MapSpec, Variable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bpflab.obj.elf import Elf

KCONFIG: Final = ".kconfig"
KSYMS: Final = ".ksyms"
_STAND_IN: Final = "dummy_ksym"
_INT_SIZE: Final = 4


def find_externs(elf: Elf, btf: Btf | None) -> dict[str, Extern]:
    """Find the declarations, by name."""
    weak = {symbol.name for symbol in elf.symbols_in.get(0, ()) if symbol.weak}
    found = [_extern(btf, section, each, weak) for section in (KCONFIG, KSYMS) for each in _variables(btf, section)]
    return {each.name: each for each in found}


def _variables(btf: Btf | None, section: str) -> tuple[t.SectionVariable, ...]:
    type_id = btf.find(section, BtfKind.DATASEC) if btf else None
    return btf.get(type_id, t.Datasec).variables if btf and type_id else ()


def _extern(btf: Btf | None, section: str, variable: t.SectionVariable, weak: set[str]) -> Extern:
    found = btf[variable.type_id] if btf else t.Void()
    if not isinstance(found, (t.Var, t.Func)):
        raise ObjectError(f"{section} holds {found.kind.name} {found.name!r}, which is no variable or function.")
    if isinstance(found, t.Func):
        kind = ExternKind.FUNCTION
    elif section == KCONFIG:
        kind = ExternKind.KCONFIG
    else:
        untyped = btf is not None and isinstance(resolved(btf, found.type_id), t.Void)
        kind = ExternKind.ADDRESS if untyped else ExternKind.KSYM
    return Extern(found.name, kind, found.type_id, found.name in weak)


MOST_BYTES: Final = 1 << 20
"""Values of a configuration are numbers and texts; a file that asks for more room for them is malformed."""


def kconfig_map(btf: Btf | None, externs: Mapping[str, Extern], object_name: str) -> MapSpec | None:
    """Make the map that configuration values are read from, all of them 0; None if there are none."""
    wanted = [each for each in externs.values() if each.kind is ExternKind.KCONFIG]
    if btf is None or not wanted:
        return None
    variables, end = _layout(btf, wanted)
    if end > MOST_BYTES:
        raise ObjectError(f"its values of the kernel's configuration take {end} bytes; {MOST_BYTES} are the most.")
    return MapSpec(
        name=KCONFIG,
        type=MapType.ARRAY,
        key_size=4,
        value_size=end,
        max_entries=1,
        flags=MapFlag.RDONLY_PROG | MapFlag.MMAPABLE,
        btf_value_type_id=btf.require(KCONFIG, BtfKind.DATASEC),
        data=bytearray(end),
        frozen=True,
        variables=variables,
        kernel_name=kernel_name(KCONFIG, object_name),
    )


def _layout(btf: Btf, wanted: Collection[Extern]) -> tuple[dict[str, Variable], int]:
    """Lay values out one behind the other: those of the largest alignment first, of these the smallest."""
    variables: dict[str, Variable] = {}
    end = 0
    shapes = {each.name: (align_of(btf, each.type_id), size_of(btf, each.type_id)) for each in wanted}
    for each in sorted(wanted, key=lambda each: (-shapes[each.name][0], shapes[each.name][1], each.name)):
        align, size = shapes[each.name]
        start = (end + align - 1) // align * align
        variables[each.name] = Variable(each.name, start, size, each.type_id)
        end = start + size
    return variables, end


def settle(btf: Btf, externs: Mapping[str, Extern], kconfig: MapSpec | None) -> Btf:
    """Give BTF that the kernel takes: no extern variables or functions, and sections that have a size."""
    if not externs:
        return btf
    types = [btf[type_id] for type_id in btf]
    if kconfig is not None:
        _settle_kconfig(btf, types, kconfig)
    if btf.find(KSYMS, BtfKind.DATASEC):
        _settle_ksyms(btf, types)
    return Btf(encode(types, btf.byteorder, btf.strings()))


def _settle_kconfig(btf: Btf, types: list[t.BtfType], kconfig: MapSpec) -> None:
    places = []
    for each in _variables(btf, KCONFIG):
        var = btf.get(each.type_id, t.Var)
        types[each.type_id - 1] = replace(var, linkage=VarLinkage.GLOBAL)
        place = kconfig.variables[var.name]
        places.append(t.SectionVariable(each.type_id, place.offset, place.size))
    places.sort(key=lambda place: place.offset)
    section = btf.require(KCONFIG, BtfKind.DATASEC)
    types[section - 1] = t.Datasec(name=KCONFIG, size=kconfig.value_size, variables=tuple(places))


def _settle_ksyms(btf: Btf, types: list[t.BtfType]) -> None:
    """Make every symbol an int: what it is stays with the Extern. One variable stands in for all functions."""
    number, wanted = _int(types), _variables(btf, KSYMS)
    if any(isinstance(btf[each.type_id], t.Func) for each in wanted):
        types.append(t.Var(name=_STAND_IN, type_id=number, linkage=VarLinkage.GLOBAL))
    stand_in, places = len(types), []
    for index, each in enumerate(wanted):
        found = btf[each.type_id]
        if isinstance(found, t.Func):
            types[each.type_id - 1] = replace(found, linkage=FuncLinkage.GLOBAL)
            _name_parameters(btf, types, found.type_id)
        elif isinstance(found, t.Var):
            types[each.type_id - 1] = replace(found, type_id=number, linkage=VarLinkage.GLOBAL)
        type_id = stand_in if isinstance(found, t.Func) else each.type_id
        places.append(t.SectionVariable(type_id, index * _INT_SIZE, _INT_SIZE))
    section = btf.require(KSYMS, BtfKind.DATASEC)
    types[section - 1] = t.Datasec(name=KSYMS, size=len(places) * _INT_SIZE, variables=tuple(places))


def _int(types: list[t.BtfType]) -> int:
    """Return the id of the first integer of 32 bits, a new one where there is none."""
    found = (number for number, each in enumerate(types, 1) if isinstance(each, t.Int) and each.bits == 8 * _INT_SIZE)
    number = next(found, 0)
    if not number:
        types.append(t.Int(name="int", size=_INT_SIZE, bits=8 * _INT_SIZE, encoding=IntEncoding.SIGNED))
    return number or len(types)


def _name_parameters(btf: Btf, types: list[t.BtfType], type_id: int) -> None:
    """Give parameters of a global function a name, as the kernel wants them to have."""
    type_id = resolve(btf, type_id)
    function = btf.get(type_id, t.FuncProto)
    named = tuple(t.Parameter(each.name or _STAND_IN, each.type_id) for each in function.parameters)
    types[type_id - 1] = replace(function, parameters=named)
