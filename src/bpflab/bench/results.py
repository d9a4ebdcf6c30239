"""What was measured, as data, and its file: results.json of the last run, history.jsonl with a line for each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bpflab.errors import BenchError
from bpflab.obj.compile_cache import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = 1
RESULTS: Final = "results.json"
HISTORY: Final = "history.jsonl"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One benchmark on one target.

    `value` is the median of a call, in `unit`. `spread` is highest minus lowest, as a share of the value: of the
    runs' values if there were several runs, else of the rounds of the one run.
    """

    test: str
    target: str
    value: float
    spread: float
    unit: str
    deterministic: bool
    group: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    runs: int = 1
    rounds: int = 1
    iterations: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def function(self) -> str:
        """Name the benchmark without its parameters."""
        return self.test.partition("[")[0]


@dataclass(frozen=True, slots=True)
class Results:
    """Measurements, with when they were `taken` (ISO 8601), the `commit`, and the facts of each target."""

    taken: str
    commit: Mapping[str, Any]
    targets: Mapping[str, Mapping[str, Any]]
    measurements: tuple[Measurement, ...]


def to_json(results: Results) -> dict[str, Any]:
    """Give results as JSON has them."""
    return {"format": FORMAT, **asdict(results)}


def from_json(content: Mapping[str, Any]) -> Results:
    """Read results; KeyError, TypeError or ValueError if they are none."""
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']}")
    found = tuple(Measurement(**each) for each in content["measurements"])
    return Results(content["taken"], content["commit"], content["targets"], found)


def save(results: Results, directory: Path) -> None:
    """Write the results of a run as a whole; BenchError if the directory cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(directory / RESULTS, json.dumps(to_json(results), indent=1).encode())
    except OSError as problem:
        raise BenchError(f"Results cannot be written to {directory}: {problem.strerror}.") from problem


def remember(results: Results, directory: Path) -> None:
    """Append a line for each target to the history: everything that its figures depend on, and the figures."""
    content = to_json(results)
    lines = [
        {
            "format": FORMAT,
            "taken": results.taken,
            "commit": content["commit"],
            "target": name,
            "facts": facts,
            "measurements": [each for each in content["measurements"] if each["target"] == name],
        }
        for name, facts in content["targets"].items()
    ]
    with (directory / HISTORY).open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in lines)


def load(path: Path) -> Results:
    """Read results from a file or from the directory that has it; BenchError says what is wrong with it."""
    file = path / RESULTS if path.is_dir() else path
    try:
        return from_json(json.loads(file.read_bytes()))
    except OSError as problem:
        raise BenchError(f"The results {file} cannot be read: {problem.strerror}.") from problem
    except (KeyError, TypeError, ValueError) as problem:
        raise BenchError(f"{file} holds no results of `bpflab bench --json` ({problem}).") from problem
