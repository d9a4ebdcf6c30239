from __future__ import annotations

import os
import sys
from importlib import import_module

import pytest

# An inner session forgets what it imported; what is here before it starts need not be imported by each.
for name in (
    "bpflab.abi.helpers",
    "bpflab.maps.create",
    "bpflab.objects.load",
    "bpflab.probe.machine",
    "bpflab.sim.backend",
    "bpflab.sim.hooks.xdp",
    "bpflab.trace.replay",
    "hypothesis.strategies",
    "pytest_bpflab.lab",
    "pytest_bpflab.watch",
    "pytest_bpflab.ways",
):
    import_module(name)

XDP_PASS = "__import__('struct').pack('=BBhiBBhi', 0xB7, 0, 0, 2, 0x95, 0, 0, 0)"
"""r0 = XDP_PASS; exit"""


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what the outer session was asked for away from the inner ones; those share modules that are compiled."""
    base = tmp_path_factory.getbasetemp()
    compiled = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(compiled))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(compiled))
    monkeypatch.delenv("BPFLAB_REQUIRE_KERNEL", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory whose tests can use bpflab and `PASS`, the instructions of a program that returns XDP_PASS."""
    pytester.makeconftest("")
    pytester.makepyfile(programs=f"PASS = {XDP_PASS}")
    pytester.syspathinsert()
    return pytester
