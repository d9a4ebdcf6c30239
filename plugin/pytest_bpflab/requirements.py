"""What a test needs of the machine, said by its `bpf` marker, and the test skipped by the name of what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_bpflab.backends import PARAMETER, backend_of, shared_backend
from pytest_bpflab.excuses import mistake_in
from pytest_bpflab.options import REPLAY, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.probe import Probe

MISSING: Final = "bpf_missing"
"""The property of a report that names what its test lacked."""

NEEDS: Final = ("kernel", "program_type", "map_type", "helper", "capability", "backend", "compare", "may_differ")

_PROBES: Final = pytest.StashKey["dict[str, Probe]"]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs what its backend does not have; fail it under `--bpf-strict`.

    The backend of a test that asks for one, by fixture or marker, becomes a property of its report.
    """
    marks = list(item.iter_markers("bpf"))
    if marks or PARAMETER in getattr(item, "fixturenames", ()):
        item.user_properties.append((PARAMETER, backend_of(item)))
    for mark in marks:
        check_marker(mark)
        missing = next(_missing(item, mark), None)
        if missing is None:
            continue
        item.user_properties.append((MISSING, missing))
        if item.config.stash[SETTINGS].strict:
            pytest.fail(f"--bpf-strict: {missing}", pytrace=False)
        pytest.skip(missing)


def check_marker(mark: pytest.Mark) -> None:
    """Fail the test when its marker says what the plugin does not know."""
    unknown = [name for name in mark.kwargs if name not in NEEDS]
    if mark.args or unknown:
        given = ", ".join([*map(repr, mark.args), *(f"{name}=" for name in unknown)])
        pytest.fail(f"The marker bpf does not take {given}; it takes {', '.join(NEEDS)} by keyword.", pytrace=False)
    if "may_differ" in mark.kwargs and (mistake := mistake_in(mark)):
        pytest.fail(f"The marker bpf: {mistake}", pytrace=False)


def _missing(item: pytest.Item, mark: pytest.Mark) -> Iterator[str]:
    name = backend_of(item)
    if name == REPLAY:  # what was missing where the test was recorded, its cassette says
        return
    wanted = dict(mark.kwargs)
    wanted.pop("compare", None)
    wanted.pop("may_differ", None)
    only = wanted.pop("backend", name)
    if only != name:
        yield f"needs the {only} backend, and runs on {name}"
    elif wanted:
        yield from _missing_in(_probe(item, name), wanted)


def _missing_in(probe: Probe, wanted: dict[str, object]) -> list[str]:
    from bpflab.errors import BpfError

    try:
        return list(probe.missing(**wanted))
    except BpfError as error:
        mistake = str(error)
    pytest.fail(f"The marker bpf: {mistake}", pytrace=False)


def _probe(item: pytest.Item, name: str) -> Probe:
    from bpflab.probe import Probe

    probes = item.config.stash.setdefault(_PROBES, {})
    if name not in probes:
        probes[name] = Probe(shared_backend(item.config, name))
    return probes[name]
