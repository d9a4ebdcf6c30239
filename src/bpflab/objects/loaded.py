"""An object that was loaded: its live maps and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.objects.names import Names
from bpflab.objects.variables import Variables, live_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.obj.spec import ObjectSpec
    from bpflab.objects.ops import LiveOps
    from bpflab.programs.program import Program
    from bpflab.snapshots.snapshot import Snapshot


class LoadedObject:
    """A loaded object: `maps`, `programs` and `ops` by attribute and name, `spec` what its file said, `lab` its owner.

    `btf_refusal` says why the kernel did not take the object's BTF, in which case programs were loaded without
    source lines; it is empty otherwise.
    """

    def __init__(
        self,
        lab: Lab,
        spec: ObjectSpec,
        maps: Mapping[str, Map[Any, Any]],
        programs: Mapping[str, Program],
        *,
        btf_refusal: str = "",
        ops: Mapping[str, LiveOps] | None = None,
    ) -> None:
        self.lab = lab
        self.spec = spec
        self.maps: Names[Map[Any, Any]] = Names(maps, "map", spec.name)
        self.programs: Names[Program] = Names(programs, "program", spec.name)
        self.ops: Names[LiveOps] = Names(ops or {}, "operation struct", spec.name)
        self.btf_refusal = btf_refusal

    @property
    def rodata(self) -> Variables:
        """The constants: they can be read; they were set before the object was loaded."""
        return live_variables(self.spec, "rodata", self.maps)

    @property
    def data(self) -> Variables:
        """The variables with a value to begin with, as they are now."""
        return live_variables(self.spec, "data", self.maps)

    @property
    def bss(self) -> Variables:
        """The variables that began with zeros, as they are now."""
        return live_variables(self.spec, "bss", self.maps)

    @property
    def arena(self) -> Variables:
        """The variables in the arena, which user space and programs share."""
        return live_variables(self.spec, "arena", self.maps)

    @property
    def kconfig(self) -> Variables:
        """What the programs were told of the kernel's configuration."""
        return live_variables(self.spec, "kconfig", self.maps)

    def snapshot(self) -> Snapshot:
        """Keep what the object's maps hold now; `restore()` of the result brings it back. It belongs to the Lab."""
        from bpflab.snapshots.snapshot import Snapshot

        return self.lab.own(Snapshot(self.lab, self.maps.values()))

    def __repr__(self) -> str:
        return f"<{self.spec.name}: programs {', '.join(self.programs)}; maps {', '.join(self.maps) or 'none'}>"
