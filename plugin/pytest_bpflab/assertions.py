"""Assertions on verdicts, packets and maps, explained: pytest's own introspection, with the words of the field.

A plugin of its own, registered by pytest_bpflab. What is compared decides; a session that never imported bpflab or
scapy pays for one look into `sys.modules`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_bpflab.backends import PARAMETER

if TYPE_CHECKING:
    from collections.abc import Generator

SECTION: Final = "bpf difference"
FIRST_LINES: Final = 6
"""Lines of a long explanation that stand at the assertion where pytest would cut it; the report has it whole."""
MOST_LINES: Final = 8
MOST_CHARACTERS: Final = 560
_WHOLE: Final = pytest.StashKey[str]()
_ITEM: Final = pytest.StashKey[pytest.Item]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Know whose assertions follow."""
    item.config.stash[_ITEM] = item


@pytest.hookimpl(tryfirst=True)
def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """Explain a comparison of verdicts, packets or maps that failed; None for any other."""
    if "bpflab" not in sys.modules and "bpflab_packets" not in sys.modules:
        return None
    from pytest_bpflab import explained_maps, explained_packets, explained_verdicts

    lines = (
        explained_packets.explain(op, left, right)
        or explained_verdicts.explain(op, left, right)
        or explained_maps.explain(op, left, right, of_map=_uses_bpf(config))
    )
    return _fitting(config, lines) if lines else None


def _uses_bpf(config: pytest.Config) -> bool:
    item = config.stash.get(_ITEM, None)
    return item is not None and PARAMETER in getattr(item, "fixturenames", ())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put an explanation that was too long for its place into the report."""
    report = yield
    if report.failed and _WHOLE in item.stash:
        report.sections.append((SECTION, item.stash[_WHOLE]))
        del item.stash[_WHOLE]
    return report


def _fitting(config: pytest.Config, lines: list[str]) -> list[str]:
    """Return all lines, or those that pytest leaves uncut, with the whole kept for the report."""
    short = len(lines) <= MOST_LINES and sum(map(len, lines)) <= MOST_CHARACTERS
    item: Any = config.stash.get(_ITEM, None)
    if short or item is None or config.get_verbosity(pytest.Config.VERBOSITY_ASSERTIONS) >= 2:
        return lines
    item.stash[_WHOLE] = "\n".join(lines)
    return [*_first(lines), f"The whole of it is below: {SECTION}."]


def _first(lines: list[str]) -> list[str]:
    kept, room = list[str](), MOST_CHARACTERS
    for line in lines[:FIRST_LINES]:
        room -= len(line)
        if room < 0 and kept:
            break
        kept.append(line if room >= 0 else line[:room] + "...")
    return kept
