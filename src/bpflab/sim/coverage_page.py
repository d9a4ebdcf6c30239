"""Write what the simulated kernel runs as a page for people.

`python -m bpflab.sim.coverage_page > docs/simulated.md`
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from bpflab.abi.helpers import all_helpers, table
from bpflab.abi.prog_types import ProgType
from bpflab.sim.helpers import find_helper
from bpflab.sim.hooks import OpaqueHook, find_hook
from bpflab.sim.kfuncs import families

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTRODUCTION: Final = """\
# What the simulated kernel runs

Found by asking it; this page is written by `python -m bpflab.sim.coverage_page`. How what it runs differs from the
running kernel is told in [What the simulated kernel does otherwise](fidelity.md).
"""
_TYPES: Final = """\
## Types of program

Run by the simulated kernel: {run}.

Loaded, attached and inspected, but not run: {opaque}.
Their context is opaque: a program that reads a field of it is refused.
"""
_HELPERS: Final = """\
## Helpers

{there} of the {all} [helpers](helpers.md) are simulated. A program that calls another one is refused when it is loaded,
by the helper's name.

| family | simulated | not yet |
|---|---|---|
"""
_KFUNCS: Final = """
## Kernel functions

These [kernel functions](kfuncs.md) are simulated, where the kernel's BTF has them. A program that calls another one is
refused when it is loaded, by the function's name.

| family | simulated |
|---|---|
"""


def page() -> str:
    """Return the whole page as Markdown."""
    helpers = _HELPERS.format(**_figures()) + "\n".join(_families()) + "\n"
    return f"{_INTRODUCTION}\n{_types()}\n{helpers}{_KFUNCS}" + "\n".join(_kfuncs()) + "\n"


def _types() -> str:
    types = [each for each in ProgType if each is not ProgType.UNSPEC]
    opaque = [each for each in types if isinstance(find_hook(each), OpaqueHook)]
    run = [each for each in types if each not in opaque]
    return _TYPES.format(run=", ".join(each.name for each in run), opaque=", ".join(each.name for each in opaque))


def _figures() -> dict[str, int]:
    rows = all_helpers()
    return {"all": len(rows), "there": sum(find_helper(row.name) is not None for row in rows)}


def _families() -> Iterator[str]:
    for family in table().categories:
        names = [row.name for row in all_helpers() if row.category == family]
        there = [name for name in names if find_helper(name)]
        yield f"| {family} | {', '.join(there)} | {', '.join(name for name in names if name not in there)} |"


def _kfuncs() -> Iterator[str]:
    for family, names in families().items():
        yield f"| {family.replace('_', ' ')} | {', '.join(names)} |"


if __name__ == "__main__":
    sys.stdout.write(page())
