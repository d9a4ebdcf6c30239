"""A comparison of verdicts, by name, with the run that gave the one that came out."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_bpflab.keeping import KeptRun

WORDS: Final = {"==": "is not", "is": "is not", "!=": "is", "is not": "is"}
"""What a comparison found that failed."""
VERDICTS: Final = "bpflab.abi.verdicts"


def explain(op: str, left: object, right: object) -> list[str] | None:
    """Explain why two verdicts, or a verdict and a number, did not compare as asked; None for other values."""
    if op not in WORDS or not (_is_verdict(left) or _is_verdict(right)):
        return None
    if not (isinstance(left, int) and isinstance(right, int)):
        return None
    kind = type(left) if _is_verdict(left) else type(right)
    found = (left, right) if not _is_verdict(left) or _last_run(left) or not _last_run(right) else (right, left)
    lines = [f"{named(left, kind)} {op} {named(right, kind)}", f"The verdict {WORDS[op]} {named(found[1], kind)}."]
    run = _last_run(found[0])
    if run:
        lines.append(f"Run {run.number} of this test, program {run.program or '?'}, answered {named(found[0], kind)}")
        lines.append(f"to {len(run.packet)} bytes: {_layers(run.packet)}")
    if type(left) is not type(right) and _is_verdict(left) and _is_verdict(right):
        lines.append(f"They are verdicts of different types: {type(left).__name__} and {type(right).__name__}.")
    return lines


def named(value: object, kind: type) -> str:
    """Name a verdict; a plain number with the name that it has among the verdicts of `kind`."""
    if isinstance(value, IntEnum):
        return f"{type(value).__name__}.{value.name}"
    try:
        return f"{value} ({kind.__name__}.{kind(value).name})"
    except ValueError:
        return f"{value} (no {kind.__name__} verdict)"


def _is_verdict(value: object) -> bool:
    return isinstance(value, IntEnum) and type(value).__module__ == VERDICTS


def _last_run(value: object) -> KeptRun | None:
    """Return the last run of this test, if its return value is this one."""
    module = sys.modules.get("pytest_bpflab.keeping")
    run = module.KEEPER.last if module else None
    same = run is not None and isinstance(value, int) and run.retval == int(value) & 0xFFFFFFFF
    return run if same else None


def _layers(packet: bytes) -> str:
    from bpflab.trace.packet import PacketNames

    return str(PacketNames(packet))
