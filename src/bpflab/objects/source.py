"""What may be given to `lab.load`, and the spec that it becomes."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bpflab.abi.prog_types import ProgType
from bpflab.arguments import near_names
from bpflab.errors import ArgumentError, NoSuchNameError, ObjectError
from bpflab.obj.spec import MapSpec, ObjectSpec, ProgramSpec

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder


def spec_of(source: str | Path | bytes | ObjectSpec, byteorder: ByteOrder = sys.byteorder) -> ObjectSpec:
    """Return the spec of a C source (compiled, by its suffix `.c`), an object file, its bytes, or a spec itself.

    `byteorder` is that for which a source is compiled.
    """
    from bpflab.obj import read_object

    if isinstance(source, ObjectSpec):
        return source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return read_object(bytes(source))
    if not isinstance(source, (str, Path)):
        raise ArgumentError(
            f"load() was given a {type(source).__name__}; expected the path of a .bpf.c source or an object file, "
            "its bytes, or an ObjectSpec."
        )
    return _spec_of_path(Path(source), byteorder)


def _spec_of_path(path: Path, byteorder: ByteOrder) -> ObjectSpec:
    from bpflab.obj import read_object
    from bpflab.obj.prebuilt import compiled

    if not path.is_file():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = near_names(path.name, [name for name in siblings if ".bpf." in name or name.endswith(".o")])
        raise ObjectError(f"There is no file {path}{near}")
    return read_object(compiled(path, byteorder) if path.suffix == ".c" else path)


def own_copy(spec: ObjectSpec) -> ObjectSpec:
    """Return a spec whose maps, operations and choice of programs can be changed; programs are values."""
    maps, ops = copy.deepcopy(spec.maps), copy.deepcopy(spec.ops)
    return replace(spec, maps=maps, programs=dict(spec.programs), ops=ops)


def choose_programs(spec: ObjectSpec, wanted: list[str] | None) -> list[str]:
    """Return the names of the programs to load: the wanted ones, else all that the object loads by itself."""
    if wanted is None:
        return [name for name, program in spec.programs.items() if program.autoload and _is_used(program)]
    for name in wanted:
        if name not in spec.programs:
            raise NoSuchNameError(f"{spec.name} has no program {name!r}{near_names(name, spec.programs)}")
    return wanted


def _is_used(program: ProgramSpec) -> bool:
    """Say whether a program is needed: one for an operation is not, if no struct of operations names it."""
    return program.type is not ProgType.STRUCT_OPS or program.implements is not None


def set_variable(spec: ObjectSpec, name: str, value: int | bytes) -> None:
    """Write a variable of a read-only data map before it is loaded; integers in the object's byte order."""
    for map_spec in spec.maps.values():
        if map_spec.frozen and name in map_spec.variables and map_spec.data is not None:
            variable = map_spec.variables[name]
            raw = _variable_bytes(name, variable.size, value, spec)
            map_spec.data[variable.offset : variable.offset + variable.size] = raw
            return
    known = [name for map_spec in spec.maps.values() if map_spec.frozen for name in _names(map_spec)]
    raise NoSuchNameError(f"{spec.name} has no read-only variable {name!r}{near_names(name, known)}")


def _names(map_spec: MapSpec) -> list[str]:
    return list(map_spec.variables)


def _variable_bytes(name: str, size: int, value: int | bytes, spec: ObjectSpec) -> bytes:
    try:
        raw = value.to_bytes(size, spec.byteorder, signed=value < 0) if isinstance(value, int) else bytes(value)
    except OverflowError:
        raw = b"\0" * (size + 1)
    if len(raw) > size:
        raise ArgumentError(f"Variable {name} of {spec.name} has {size} bytes; {value!r} does not fit.")
    return raw.ljust(size, b"\0")
