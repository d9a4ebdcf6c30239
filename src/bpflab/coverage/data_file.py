"""Measurements as text: JSON with a version, so that runs, machines and workers can be put together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from bpflab.coverage.data import CoverageData, Unmeasured
from bpflab.coverage.flow import Branch
from bpflab.coverage.hits import Hits
from bpflab.coverage.program import CoveredProgram, Function, Place
from bpflab.errors import BpfError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT: Final = "bpflab coverage"
VERSION: Final = 1


class CoverageFileError(BpfError):
    """A file that was expected to hold coverage does not, or cannot be read or written."""


def to_text(data: CoverageData) -> str:
    """Write measurements down."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "programs": [_program(data, digest) for digest in sorted(data.programs)],
        "unmeasured": [[each.program, each.backend, each.reason] for each in sorted(data.unmeasured)],
    }
    return json.dumps(content, separators=(",", ":"))


def from_text(text: str, name: str) -> CoverageData:
    """Read measurements; CoverageFileError, which names the file as `name`, where the text holds none."""
    try:
        content = json.loads(text)
        if content.get("format") != FORMAT or content["version"] != VERSION:
            raise _mistaken(name, f"it says {content.get('format')!r}, version {content.get('version')!r}")
        data = CoverageData(unmeasured={Unmeasured(*each) for each in content["unmeasured"]})
        for each in content["programs"]:
            program = _read_program(each)
            data.know(program)
            data.add(program.digest, Hits(*(int(each[kind], 16) for kind in ("executed", "taken", "fallen"))))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _mistaken(name, repr(error)) from error
    return data


def read_file(path: Path) -> CoverageData:
    """Read a file of measurements; CoverageFileError."""
    try:
        return from_text(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise CoverageFileError(f"Coverage cannot be read from {path}: {error}.") from error


def write_file(path: Path, data: CoverageData) -> None:
    """Write a file of measurements, whole or not at all; CoverageFileError."""
    beside = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(to_text(data), "utf-8")
        beside.replace(path)
    except OSError as error:
        raise CoverageFileError(f"Coverage cannot be written to {path}: {error}.") from error


def _mistaken(name: str, why: str) -> CoverageFileError:
    return CoverageFileError(
        f"{name} holds no coverage of version {VERSION} ({why}); give a file that `pytest --bpf-cov` wrote."
    )


def _program(data: CoverageData, digest: str) -> dict[str, Any]:
    program, hits = data.programs[digest], data.hits[digest]
    files = sorted({place.file for _, place in program.places})
    numbers = {file: number for number, file in enumerate(files)}
    return {
        "name": program.name,
        "digest": digest,
        "slots": program.slots,
        "branches": [[each.slot, each.target, each.after] for each in program.branches],
        "functions": [[each.name, each.slot] for each in program.functions],
        "files": files,
        "places": [[slot, numbers[at.file], at.line, at.column] for slot, at in program.places],
        "executed": f"{hits.executed:x}",
        "taken": f"{hits.taken:x}",
        "fallen": f"{hits.fallen:x}",
    }


def _read_program(each: dict[str, Any]) -> CoveredProgram:
    files = each["files"]
    return CoveredProgram(
        name=each["name"],
        digest=each["digest"],
        slots=tuple(each["slots"]),
        branches=tuple(Branch(*branch) for branch in each["branches"]),
        functions=tuple(Function(*function) for function in each["functions"]),
        places=tuple((slot, Place(files[file], line, column)) for slot, file, line, column in each["places"]),
    )
