from __future__ import annotations

import platform
from types import SimpleNamespace

import pytest

from pytest_bpflab.gateways import pytest_configure_node


def node(python: str | None, machine: str) -> SimpleNamespace:
    channel = SimpleNamespace(receive=lambda: machine)
    spec = SimpleNamespace(popen=True, python=python)
    return SimpleNamespace(gateway=SimpleNamespace(spec=spec, remote_exec=lambda _code: channel))


@pytest.mark.parametrize(
    ("python", "machine", "path_of_the_host"),
    [
        (None, "never asked", True),
        ("python3.12", platform.machine(), True),
        ("bpflab python --arch s390x", "another", None),
    ],
)
def test_a_worker_of_another_architecture_keeps_its_own_packages(
    python: str | None, machine: str, path_of_the_host: bool | None
) -> None:
    worker = node(python, machine)
    pytest_configure_node(worker)
    assert worker.gateway.spec.popen is path_of_the_host
