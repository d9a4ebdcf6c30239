"""Global variables of an object as attributes, before it is loaded and after: `obj.rodata.max_ports = 8`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from bpflab.abi.commands import Command
from bpflab.abi.map_types import MapType
from bpflab.arguments import near_names
from bpflab.errors import ArgumentError, NoSuchNameError
from bpflab.maps.codecs.btf import codec_by_id
from bpflab.maps.codecs.plain import BytesCodec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpflab.maps.base import Map
    from bpflab.maps.codecs.base import BaseCodec
    from bpflab.obj.btf import Btf
    from bpflab.obj.spec import MapSpec, ObjectSpec, Variable

SECTIONS: Final = {
    "rodata": ".rodata",
    "data": ".data",
    "bss": ".bss",
    "kconfig": ".kconfig",
    "arena": ".addr_space.1",
}
"""What a group of variables is called, and how the sections begin that are in it."""


class Bytes(Protocol):
    """Where the variables of one section are."""

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of the section."""

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes into the section."""


@dataclass(frozen=True, slots=True)
class SpecBytes:
    """A section of an object that is not loaded yet."""

    spec: MapSpec

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of what the section will begin with."""
        return bytes((self.spec.data or b"")[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        """Change what the section will begin with."""
        if self.spec.data is not None:
            self.spec.data[offset : offset + len(data)] = data


@dataclass(frozen=True, slots=True)
class ArenaBytes:
    """The start of an arena: of an object that is not loaded, or in memory that programs share."""

    content: bytearray | memoryview

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of the arena."""
        return bytes(self.content[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        """Change bytes of the arena."""
        self.content[offset : offset + len(data)] = data


@dataclass(frozen=True, slots=True)
class LiveBytes:
    """A section in a kernel: an array of one value. What programs write is seen at once."""

    live: Map[Any, Any]
    size: int
    frozen: bool

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of the section as they are now."""
        return bytes(self._whole()[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        """Change these bytes alone; ArgumentError in a section that is read-only once it is loaded."""
        if self.frozen:
            raise ArgumentError(
                f"The variables of {self.live.name} are constants of a loaded program; set them before: "
                "obj = lab.open(source), obj.rodata.name = value, obj.load()."
            )
        whole = self._whole()
        whole[offset : offset + len(data)] = data
        self.live.lab.call(Command.MAP_UPDATE_ELEM, map_fd=self.live.fileno(), key=bytes(4), value=bytes(whole))

    def _whole(self) -> bytearray:
        value = bytearray(self.size)
        self.live.lab.call(Command.MAP_LOOKUP_ELEM, map_fd=self.live.fileno(), key=bytes(4), value=value)
        return value


@dataclass(frozen=True, slots=True)
class Place:
    """One variable: where its bytes are, and how they are read."""

    section: Bytes
    offset: int
    codec: BaseCodec[Any]

    def get(self) -> Any:  # noqa: ANN401 - the variable's own type
        """Return the variable's value."""
        return self.codec.unpack(self.section.read(self.offset, self.codec.size))

    def set(self, value: Any) -> None:  # noqa: ANN401 - the variable's own type
        """Change the variable's value; CodecError for one that does not fit."""
        self.section.write(self.offset, self.codec.pack(value))


class Variables:
    """The variables of a group of sections by attribute or name, typed by the object's BTF."""

    __slots__ = ("_group", "_owner", "_places")

    def __init__(self, owner: str, group: str, places: Mapping[str, Place]) -> None:
        object.__setattr__(self, "_owner", owner)
        object.__setattr__(self, "_group", group)
        object.__setattr__(self, "_places", dict(places))

    def _place(self, name: str) -> Place:
        if name not in self._places:
            where = SECTIONS.get(self._group, self._group)
            raise NoSuchNameError(f"{self._owner} has no variable {name!r} in {where}{near_names(name, self._places)}")
        return self._places[name]  # type: ignore[no-any-return]  # a slot that __setattr__ does not show to mypy

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the variable's own type
        if name.startswith("__"):
            raise AttributeError(name)
        return self._place(name).get()

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - as above
        self._place(name).set(value)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - as above
        return self._place(name).get()

    def __setitem__(self, name: str, value: Any) -> None:  # noqa: ANN401 - as above
        self._place(name).set(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._places]

    def __repr__(self) -> str:
        return f"<{self._group} of {self._owner}: {', '.join(self._places) or 'no variables'}>"


def spec_variables(spec: ObjectSpec, group: str) -> Variables:
    """Return a group of variables of an object that is not loaded."""
    if group == "arena":
        return _variables(spec, group, {name: ArenaBytes(each.arena) for name, each in _arenas(spec).items()})
    return _variables(spec, group, {name: SpecBytes(each) for name, each in _sections(spec, group).items()})


def live_variables(spec: ObjectSpec, group: str, maps: Mapping[str, Map[Any, Any]]) -> Variables:
    """Return a group of variables of a loaded object."""
    if group == "arena":
        return _variables(spec, group, {name: ArenaBytes(maps[name].memory()) for name in _arenas(spec)})
    sections = _sections(spec, group)
    places = {name: LiveBytes(maps[name], each.value_size, each.frozen) for name, each in sections.items()}
    return _variables(spec, group, places)


def _arenas(spec: ObjectSpec) -> dict[str, MapSpec]:
    return {name: each for name, each in spec.maps.items() if each.type is MapType.ARENA}


def _sections(spec: ObjectSpec, group: str) -> dict[str, MapSpec]:
    start = SECTIONS[group]
    return {name: each for name, each in spec.maps.items() if name == start or name.startswith(f"{start}.")}


def _variables(spec: ObjectSpec, group: str, sections: Mapping[str, Bytes]) -> Variables:
    from bpflab.obj.btf import Btf

    types = Btf(spec.btf) if spec.btf is not None else None
    places = {
        variable.name: Place(section, variable.offset, _codec(types, variable))
        for name, section in sections.items()
        for variable in spec.maps[name].variables.values()
    }
    return Variables(spec.name, group, places)


def _codec(types: Btf | None, variable: Variable) -> BaseCodec[Any]:
    if types is None or not variable.type_id:
        return BytesCodec(variable.size)
    return codec_by_id(types, variable.type_id)
