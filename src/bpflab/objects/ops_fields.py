"""Structs of operations of an object that is not loaded yet: members as attributes, values and functions alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.abi.prog_types import ProgType
from bpflab.arguments import near_names
from bpflab.errors import ArgumentError, NoSuchNameError
from bpflab.maps.codecs.btf import codec_by_id
from bpflab.obj.btf import Btf
from bpflab.obj.btf_layout import field, fields
from bpflab.obj.struct_ops import implementing, pointers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.obj.btf_layout import Field
    from bpflab.obj.spec import ObjectSpec
    from bpflab.obj.struct_ops import OpsSpec


class OpsFields:
    """The members of a struct of operations: `obj.ops.cc.flags = 2`, `obj.ops.cc.init = "other_program"` or None."""

    _btf: Btf
    _ops: OpsSpec
    _spec: ObjectSpec
    __slots__ = ("_btf", "_ops", "_spec")

    def __init__(self, spec: ObjectSpec, ops: OpsSpec) -> None:
        object.__setattr__(self, "_spec", spec)
        object.__setattr__(self, "_ops", ops)
        object.__setattr__(self, "_btf", Btf(spec.btf or b""))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the member's own type
        if name.startswith("__"):
            raise AttributeError(name)
        place = self._field(name)
        if self._is_function(name):
            return self._ops.functions.get(name)
        return codec_by_id(self._btf, place.type_id).unpack(bytes(self._ops.data[self._span(place)]))

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - as above
        place = self._field(name)
        if self._is_function(name):
            self._set_function(name, value)
        else:
            self._ops.data[self._span(place)] = codec_by_id(self._btf, place.type_id).pack(value)

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in fields(self._btf, self._ops.type_id))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        functions = ", ".join(f"{member}={name}" for member, name in self._ops.functions.items())
        return f"<struct {self._ops.type_name} {self._ops.name!r}, not loaded: {functions}>"

    def _field(self, name: str) -> Field:
        known = list(self)
        if name not in known:
            raise NoSuchNameError(f"struct {self._ops.type_name} has no member {name!r}{near_names(name, known)}")
        return field(self._btf, self._ops.type_id, name)

    def _span(self, place: Field) -> slice:
        return slice(place.offset, place.offset + place.bit_size // 8)

    def _is_function(self, name: str) -> bool:
        return name in {each.name for each in pointers(self._btf, self._ops.type_id)}

    def _set_function(self, member: str, program: str | None) -> None:
        programs = self._spec.programs
        known = [name for name, each in programs.items() if each.type is ProgType.STRUCT_OPS]
        if program is not None and not isinstance(program, str):
            raise ArgumentError(f"{member} was given {program!r}; expected the name of a program, or None.")
        if program is not None and program not in known:
            raise NoSuchNameError(
                f"{self._spec.name} has no program {program!r} for operations{near_names(program, known)}"
            )
        functions = {name: each for name, each in self._ops.functions.items() if name != member}
        self._ops.functions = functions if program is None else {**functions, member: program}
        programs.update(implementing(programs, self._spec.ops.values()))
