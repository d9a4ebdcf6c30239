"""An object that was opened and not loaded yet: what it says may be changed, then it is loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bpflab.arguments import near_names
from bpflab.errors import NoSuchNameError
from bpflab.objects.load import load_object
from bpflab.objects.names import Names
from bpflab.objects.source import own_copy, spec_of
from bpflab.objects.variables import Variables, spec_variables

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.obj.spec import MapSpec, ObjectSpec, ProgramSpec
    from bpflab.objects.loaded import LoadedObject
    from bpflab.objects.ops_fields import OpsFields
    from bpflab.programs.program import Program


class OpenedObject:
    """An object's maps, programs and variables before it is loaded.

    `maps` are MapSpecs, whose sizes and flags may be set: `obj.maps.flows.max_entries = 64`. `rodata`, `data` and `bss`
    are the variables: `obj.rodata.max_ports = 8`. `load()` makes it live; it can be loaded more than once.
    """

    def __init__(self, lab: Lab, source: str | Path | bytes | ObjectSpec) -> None:
        self.lab = lab
        self.spec = own_copy(spec_of(source, lab.backend.byteorder))
        self._reused: dict[str, Map[Any, Any]] = {}
        self._inside: dict[str, Program] = {}

    @property
    def maps(self) -> Names[MapSpec]:
        """The maps by name."""
        return Names(self.spec.maps, "map", self.spec.name)

    @property
    def programs(self) -> Names[ProgramSpec]:
        """The programs by name."""
        return Names(self.spec.programs, "program", self.spec.name)

    @property
    def rodata(self) -> Variables:
        """The constants, which a program sees as the verifier does: as known values."""
        return spec_variables(self.spec, "rodata")

    @property
    def data(self) -> Variables:
        """The variables with a value to begin with."""
        return spec_variables(self.spec, "data")

    @property
    def bss(self) -> Variables:
        """The variables that begin with zeros."""
        return spec_variables(self.spec, "bss")

    @property
    def arena(self) -> Variables:
        """The variables in the arena, which user space and programs share."""
        return spec_variables(self.spec, "arena")

    @property
    def ops(self) -> Names[OpsFields]:
        """The structs of operations: their values, and by name the programs that implement them."""
        from bpflab.objects.ops_fields import OpsFields

        fields = {name: OpsFields(self.spec, each) for name, each in self.spec.ops.items()}
        return Names(fields, "operation struct", self.spec.name)

    def drop(self, *programs: str) -> None:
        """Leave programs out when the object is loaded."""
        for name in programs:
            self._change(name, autoload=False)

    def keep(self, *programs: str) -> None:
        """Load programs that the object leaves out by itself: those of `SEC("?...")`."""
        for name in programs:
            self._change(name, autoload=True)

    def attach_to(self, program: str, target: str, *, inside: Program | None = None) -> None:
        """Choose what a program attaches to, whatever its section says: a function, a tracepoint, a hook.

        `inside` is a loaded program whose function `target` is, for freplace, fentry and fexit.
        """
        self._change(program, attach_to=target)
        if inside is None:
            self._inside.pop(program, None)
        else:
            self._inside[program] = inside

    def reuse(self, name: str, live: Map[Any, Any]) -> None:
        """Have the object use a map that is there already, of another object or of the test."""
        if name not in self.spec.maps:
            raise NoSuchNameError(f"{self.spec.name} has no map {name!r}{near_names(name, self.spec.maps)}")
        self._reused[name] = live

    def load(self) -> LoadedObject:
        """Load it into the Lab's kernel; see `Lab.load`."""
        return load_object(self.lab, self.spec, maps=self._reused, inside=self._inside)

    def _change(self, name: str, **values: Any) -> None:  # noqa: ANN401 - the fields' own types
        self.spec.programs[name] = replace(self.programs[name], **values)

    def __repr__(self) -> str:
        return f"<{self.spec.name}, not loaded: programs {', '.join(self.spec.programs)}>"
