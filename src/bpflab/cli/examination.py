"""Everything that `bpflab doctor` finds out, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bpflab.abi.capabilities import Capability
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.backend.select import kernel_refusal, open_backend
from bpflab.probe import Finding, Probe, effective_capabilities
from bpflab.probe.machine import (
    identity,
    probe_bpf_fs,
    probe_compiler,
    probe_kernel_btf,
    probe_tracefs,
    settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class BackendExamination:
    """What one backend can do. `helpers` holds, for each helper, a finding for each program type that may call it.

    `refusal` says why the backend cannot be used, in which case nothing else was found out.
    """

    name: str
    title: str
    refusal: str | None = None
    program_types: list[Finding] = field(default_factory=list)
    map_types: list[Finding] = field(default_factory=list)
    helpers: dict[str, dict[str, Finding]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "name": self.name,
            "refusal": self.refusal,
            "program_types": _answers(self.program_types),
            "map_types": _answers(self.map_types),
            "helpers": {name: _answers(by_type.values(), by_type) for name, by_type in self.helpers.items()},
        }


@dataclass(frozen=True, slots=True)
class Examination:
    """What this machine is and can do."""

    identity: dict[str, str]
    machine: list[Finding]
    capabilities: dict[str, bool]
    settings: dict[str, str]
    backends: list[BackendExamination]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "identity": self.identity,
            "machine": {found.name: {"answer": found.answer, "detail": found.detail} for found in self.machine},
            "capabilities": self.capabilities,
            "settings": self.settings,
            "backends": [backend.as_dict() for backend in self.backends],
        }


def examine() -> Examination:
    """Find out everything, by trying it."""
    held = effective_capabilities()
    return Examination(
        identity=identity(),
        machine=[probe_compiler(), probe_kernel_btf(), probe_bpf_fs(), probe_tracefs()],
        capabilities={capability.name: capability in held for capability in Capability},
        settings=settings(),
        backends=[examine_backend("kernel", kernel_refusal()), examine_backend("sim", None)],
    )


def examine_backend(name: str, refusal: str | None) -> BackendExamination:
    """Probe every program type, map type and helper of one backend."""
    if refusal:
        return BackendExamination(name, _title(name), refusal)
    probe = Probe(open_backend(name))
    return BackendExamination(
        name=name,
        title=f"{_title(name)} (Linux {'.'.join(map(str, probe.backend.release))})",
        program_types=[probe.program_type(kind) for kind in ProgType if kind is not ProgType.UNSPEC],
        map_types=[probe.map_type(kind) for kind in MapType if kind is not MapType.UNSPEC],
        helpers=_helpers(probe),
    )


def _helpers(probe: Probe) -> dict[str, dict[str, Finding]]:
    from bpflab.abi.helpers import all_helpers

    types = {kind for kind in ProgType if probe.program_type(kind)}
    return {
        row.name: {kind.name: probe.helper(row.name, kind) for kind in sorted(row.programs & types)}
        for row in all_helpers()
    }


def _title(name: str) -> str:
    return {"kernel": "the running kernel", "sim": "the simulated kernel"}[name]


def _answers(findings: Iterable[Finding], names: Iterable[str] | None = None) -> dict[str, str]:
    found = list(findings)
    return dict(zip(names or [each.name for each in found], [str(each.answer) for each in found], strict=True))
