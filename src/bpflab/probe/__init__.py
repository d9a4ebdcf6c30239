"""What a backend can do: program types, map types, helpers, version and privileges, each tried once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.abi.capabilities import Capability
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.arguments import enum_member
from bpflab.errors import ArgumentError
from bpflab.probe.finding import Answer, Finding
from bpflab.probe.maps import probe_map_type
from bpflab.probe.privileges import effective_capabilities
from bpflab.probe.programs import probe_helper, probe_program_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.backend.base import Backend

__all__ = ["Answer", "Finding", "Probe", "effective_capabilities"]


REASONS = {
    Answer.NO: "does not have it",
    Answer.NOT_PERMITTED: "does not permit it to this process",
    Answer.UNKNOWN: "cannot be asked for it",
}


class Probe:
    """Asks one backend what it can do; every question is put to it once and the answer kept."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._known: dict[object, Finding] = {}

    def program_type(self, kind: ProgType | str) -> Finding:
        """Find whether programs of a type can be loaded; ArgumentError for a name that is none."""
        prog_type = enum_member("program_type", kind, ProgType)
        if (prog_type, "program") not in self._known:
            self._known[prog_type, "program"] = probe_program_type(self.backend, prog_type)
        return self._known[prog_type, "program"]

    def map_type(self, kind: MapType | str) -> Finding:
        """Find whether maps of a type can be created; ArgumentError for a name that is none."""
        map_type = enum_member("map_type", kind, MapType)
        if (map_type, "map") not in self._known:
            self._known[map_type, "map"] = probe_map_type(self.backend, map_type)
        return self._known[map_type, "map"]

    def helper(self, name: str, kind: ProgType | str | None = None) -> Finding:
        """Find whether programs of a type (without one: of any type) can call a helper, named with or without `bpf_`.

        UnknownHelperError for a name that is in no table.
        """
        from bpflab.abi.helpers import helper

        row = helper(name.removeprefix("bpf_"))
        types = sorted(row.programs) if kind is None else [enum_member("program_type", kind, ProgType)]
        findings = (self._helper(row.id, row.name, prog_type) for prog_type in types)
        found = next((finding for finding in findings if finding.answer is not Answer.NO), None)
        if found is None:
            return Finding(row.name, Answer.NO)
        if found.answer is Answer.UNKNOWN:  # no load shows it, the version does
            return Finding(row.name, Answer.YES if self.backend.release >= row.since else Answer.NO, found.detail)
        return found

    def missing(
        self,
        *,
        kernel: object = None,
        program_type: object = (),
        map_type: object = (),
        helper: object = (),
        capability: object = (),
    ) -> Iterator[str]:
        """Name what is missing of the wanted things, one sentence each; each may be given alone or as a sequence.

        Helpers are asked for in the wanted program types, if there are any. ArgumentError or UnknownHelperError for
        names that nobody knows.
        """
        name = f"the {self.backend.name} backend (Linux {'.'.join(map(str, self.backend.release))})"
        if kernel is not None and self.backend.release < version(kernel):
            yield f"needs Linux {'.'.join(map(str, version(kernel)))}; this is {name}"
        types = [enum_member("program_type", kind, ProgType) for kind in several(program_type)]
        yield from self._absent("program type", [self.program_type(kind) for kind in types], name)
        yield from self._absent("map type", [self.map_type(kind) for kind in several(map_type)], name)
        callers: list[ProgType | None] = [*types] or [None]
        wanted = [(each, caller) for each in several(helper) for caller in callers]
        yield from self._absent("helper", [self.helper(str(each), caller) for each, caller in wanted], name)
        yield from self._without(several(capability))

    def _helper(self, helper_id: int, name: str, prog_type: ProgType) -> Finding:
        if (helper_id, prog_type) not in self._known:
            self._known[helper_id, prog_type] = probe_helper(self.backend, helper_id, prog_type, name)
        return self._known[helper_id, prog_type]

    @staticmethod
    def _absent(noun: str, findings: list[Finding], where: str) -> Iterator[str]:
        for finding in findings:
            if not finding:
                yield f"needs {noun} {finding.name}; {where} {REASONS[finding.answer]}"

    def _without(self, capabilities: list[Any]) -> Iterator[str]:
        held = effective_capabilities()
        for wanted in capabilities:
            capability = enum_member("capability", _capability_name(wanted), Capability)
            if self.backend.name == "kernel" and capability not in held:
                yield f"needs {capability.name}, which this process does not have"


def several(given: object) -> list[Any]:
    """Return what was given alone or as a sequence as a list."""
    return list(given) if isinstance(given, (list, tuple, set, frozenset)) else [given]


def version(given: object) -> tuple[int, ...]:
    """Read a kernel version given as `"6.1"` or `(6, 1)`; ArgumentError otherwise."""
    parts = given.split(".") if isinstance(given, str) else given
    if isinstance(parts, (list, tuple)) and parts and all(str(part).isdecimal() for part in parts):
        return tuple(map(int, parts))
    raise ArgumentError(f"kernel={given!r}; expected a version such as '6.1' or (6, 1).")


def _capability_name(given: object) -> str:
    name = str(getattr(given, "name", given)).upper()
    return name if name.startswith("CAP_") else f"CAP_{name}"
