"""From a file or its bytes to an ObjectSpec. Nothing is loaded, and no kernel is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bpflab.abi.prog_types import ProgType
from bpflab.abi.sections import rule_for
from bpflab.errors import BpfError, ObjectError
from bpflab.obj.arena import arena_variables
from bpflab.obj.btf_ext import EMPTY, read_btf_ext
from bpflab.obj.btf_maps import btf_maps
from bpflab.obj.btf_place import object_btf
from bpflab.obj.data_maps import data_maps
from bpflab.obj.elf import Elf, read_elf
from bpflab.obj.exceptions import exception_callbacks
from bpflab.obj.externs import find_externs, kconfig_map, settle
from bpflab.obj.functions import Function, Functions
from bpflab.obj.legacy_maps import legacy_maps
from bpflab.obj.link import Linked, Linker
from bpflab.obj.map_places import MapPlaces
from bpflab.obj.program_info import InfoCutter
from bpflab.obj.spec import MapSpec, ObjectSpec, ProgramSpec
from bpflab.obj.struct_ops import implementing, read_ops

if TYPE_CHECKING:
    from collections.abc import Iterable


def read_object(source: str | Path | bytes, *, name: str | None = None) -> ObjectSpec:
    """Read an object that clang -target bpf made, from a path or from its bytes.

    `name` is what messages and the kernel's names of data maps use, by default the file's. Raises ObjectError
    for a file that cannot be read or is no BPF object, and NotSupportedError for one that needs what this
    library cannot do, each with a sentence that starts with the name.
    """
    path = None if isinstance(source, bytes) else Path(source)
    label = name or (path.name if path else "object")
    try:
        data = source if isinstance(source, bytes) else _contents(Path(source))
        return _spec(read_elf(data), label, path)
    except BpfError as problem:
        raise type(problem)(f"{path or label}: {problem}") from problem


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ObjectError(f"the file cannot be read: {problem.strerror or problem}.") from problem


def _spec(elf: Elf, name: str, path: Path | None) -> ObjectSpec:
    _check_symbols(elf)
    btf = object_btf(elf)
    functions = Functions(elf)
    defined = (*legacy_maps(elf), *btf_maps(elf, btf, functions))
    places = (*defined, *data_maps(elf, btf, name), *arena_variables(elf, btf, defined))
    externs = find_externs(elf, btf)
    kconfig = kconfig_map(btf, externs, name)
    linker = Linker(elf, functions, MapPlaces(places), externs, kconfig=kconfig, callbacks=exception_callbacks(btf))
    raw_ext = elf.content(".BTF.ext")
    cutter = InfoCutter(btf, read_btf_ext(raw_ext, btf) if btf and raw_ext else EMPTY)
    license_text = _text(elf.content("license") or b"")
    programs = [_program(each, linker.link(each), cutter, license_text) for each in functions.programs]
    ops = read_ops(elf, btf, functions)
    return ObjectSpec(
        name=name,
        maps=_maps([*(place.spec for place in places), *([kconfig] if kconfig else [])]),
        programs=implementing({each.name: each for each in programs}, ops.values()),
        license=license_text,
        btf=settle(btf, externs, kconfig).data if btf else None,
        byteorder=elf.byteorder,
        version=int.from_bytes((elf.content("version") or b"")[:4], elf.byteorder),
        path=str(path) if path else None,
        externs=externs,
        ops=ops,
    )


def _check_symbols(elf: Elf) -> None:
    """Refuse code that no symbol tells the functions of."""
    if not elf.symbols and any(each.executable and each.size for each in elf.sections.values()):
        raise ObjectError("it has code and no symbols: it was stripped of them. Strip debug information alone (-g).")


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "replace")


def _maps(specs: Iterable[MapSpec]) -> dict[str, MapSpec]:
    maps: dict[str, MapSpec] = {}
    for each in specs:
        if maps.setdefault(each.name, each) is not each:
            raise ObjectError(f"it defines map {each.name!r} twice.")
    return maps


def _program(function: Function, linked: Linked, cutter: InfoCutter, license_text: str) -> ProgramSpec:
    section = function.section_name
    rule = rule_for(section)
    info = cutter.cut(linked)
    return ProgramSpec(
        name=function.name,
        section=section,
        type=rule.type if rule else ProgType.UNSPEC,
        attach_type=rule.attach if rule else None,
        attach_to=rule.attach_to(section.removeprefix("?")) if rule else None,
        insns=linked.insns,
        license=license_text,
        relocations=linked.relocations,
        core_relocations=cutter.core(linked),
        sleepable=bool(rule and rule.sleepable),
        xdp_frags=bool(rule and rule.xdp_frags),
        autoload=not section.startswith("?"),
        func_info=info.func_info,
        line_info=info.line_info,
        functions=info.functions,
        lines=info.lines,
    )
