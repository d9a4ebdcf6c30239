"""Imports between the rooms of the library run one way (docs/architecture.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BASE = {"errors", "arguments", "abi"}
ALLOWED = {
    "errors": set(),
    "arguments": {"errors"},
    "abi": {"errors", "arguments"},
    "asm": BASE,
    "obj": BASE | {"asm"},
    "contexts": BASE,
    "backend": BASE,
    "sim": BASE | {"asm", "obj", "backend"},
    "events": BASE | {"backend"},
    "cassettes": BASE | {"backend", "asm"},
    "handles": BASE | {"backend"},
    "maps": BASE | {"backend", "handles", "obj", "events"},
    "programs": BASE | {"backend", "handles", "asm", "obj", "contexts"},
    "faults": BASE | {"backend"},
    "attach": BASE | {"backend", "handles", "programs"},
    "snapshots": BASE | {"backend", "maps"},
    "objects": BASE | {"backend", "handles", "obj", "maps", "programs", "snapshots"},
    "scope": set(),
    "trace": BASE | {"asm", "obj", "backend", "sim", "maps", "programs"},
    "runner": BASE | {"obj"},
    "bench": BASE | {"obj", "runner"},
    "lab": BASE | {"backend", "maps", "programs", "objects", "snapshots", "scope", "attach", "trace", "faults"},
}
"""The rooms that each room may import. What is not listed stands above the Lab and may import everything."""
EXCEPTIONS = {
    ("backend/select.py", "sim"),  # the one place that turns a backend's name into the simulator
    ("programs/result.py", "bpflab_packets"),  # dissects on request
}
"""(file, room): the single imports that go another way, each for its reason."""
BELOW_THE_SEAM = {"backend.base", "backend.attr"}


def runtime_imports(path: Path) -> Iterator[str]:
    """Every module that a file imports when it runs, at its top or inside a function; not what types alone need."""
    yield from _walk(ast.parse(path.read_text("utf-8")))


def _walk(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        else:
            yield from _walk(child)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "src/bpflab").parts[0].removesuffix(".py")


def files_of(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    strays = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files_of("src/bpflab")
        if room_of(path) == room
        for module in runtime_imports(path)
        if module.startswith("bpflab") and not _allowed(room, path, module)
    ]
    assert not strays


def _allowed(room: str, path: Path, module: str) -> bool:
    first, _, rest = module.partition(".")
    target = rest.split(".")[0] if first == "bpflab" else first
    name = str(path.relative_to(ROOT / "src/bpflab"))
    return target == room or target in ALLOWED[room] or (name, target) in EXCEPTIONS


def test_the_simulator_knows_of_the_seam_only_what_a_backend_is() -> None:
    strays = {
        f"{path.name} imports {module}"
        for path in files_of("src/bpflab/sim")
        for module in runtime_imports(path)
        if module.startswith("bpflab.backend") and module.removeprefix("bpflab.") not in BELOW_THE_SEAM
    }
    assert not strays


def test_packets_know_nothing_of_bpf() -> None:
    strays = [
        module for path in files_of("packets") for module in runtime_imports(path) if module.startswith("bpflab.")
    ]
    assert not strays


def test_asm_is_importable_without_the_rest() -> None:
    code = "import bpflab.asm, sys; print(*sorted(n for n in sys.modules if n.startswith('bpflab.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    rooms = {name.split(".")[1] for name in loaded}
    assert rooms <= {"asm", "abi", "errors", "arguments"}


def test_every_public_name_is_there() -> None:
    import bpflab

    assert all(getattr(bpflab, name) for name in bpflab.__all__)
    assert set(bpflab.__all__) <= set(dir(bpflab))


def test_a_public_name_that_is_not_there_is_an_attribute_error() -> None:
    import bpflab

    assert not hasattr(bpflab, "Labb")
