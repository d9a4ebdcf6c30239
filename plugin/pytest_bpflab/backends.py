"""Which backends the tests of a session run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_bpflab.options import REPLAY, SETTINGS
from pytest_bpflab.tallies import BACKEND

if TYPE_CHECKING:
    from bpflab.backend.base import Backend

PARAMETER: Final = BACKEND
"""The fixture that names a test's backend, and the parameter that sets it when there are two."""

_CHOSEN: Final = pytest.StashKey[tuple[str, ...]]()
_OPENED: Final = pytest.StashKey["dict[str, Backend]"]()


def backend_names(config: pytest.Config) -> tuple[str, ...]:
    """Return the names of the backends that every test runs on: one, or two under `--bpf=both`."""
    if _CHOSEN not in config.stash:
        config.stash[_CHOSEN] = _choose(config)
    return config.stash[_CHOSEN]


def backend_of(item: pytest.Item) -> str:
    """Return the name of the backend that a test runs on."""
    callspec = getattr(item, "callspec", None)
    params = callspec.params if callspec else {}
    return str(params.get(PARAMETER) or backend_names(item.config)[0])


def shared_backend(config: pytest.Config, name: str) -> Backend:
    """Return a backend of that name to ask questions of, the same for the whole session."""
    from bpflab.backend.select import open_backend

    opened = config.stash.setdefault(_OPENED, {})
    if name not in opened:
        opened[name] = open_backend(name)
    return opened[name]


def describe(config: pytest.Config, name: str) -> str:
    """Name a backend and its version, as in `the kernel (Linux 6.18.44)`."""
    if name == REPLAY:
        return "the record of an earlier run"
    release = ".".join(map(str, shared_backend(config, name).release))
    return f"the {'kernel' if name == 'kernel' else 'simulated kernel'} (Linux {release})"


def _choose(config: pytest.Config) -> tuple[str, ...]:
    settings = config.stash[SETTINGS]
    if settings.mode == "both":
        return ("kernel", "sim")
    if settings.mode != "auto":
        return (settings.mode,)
    from bpflab.backend.select import kernel_refusal

    return ("sim",) if kernel_refusal() else ("kernel",)
