"""What all tests share; the fixtures `bpf` and `bpf_backend` come from the plugin.

Drawn examples are the same in every run, so that a run fails for what changed and for nothing else. Where a test does
not say how many it needs, `HYPOTHESIS_PROFILE=long` takes twenty times as many, and `few` a tenth, for emulated
machines; `random` draws others each time. No profile knows a deadline or minds slow draws: machines that are busy are
no reason to fail.

Where Python cannot start another (emulated without binfmt_misc, `bpflab python` without `--binfmt`), a test that tried
to, and failed, is skipped with that reason.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from functools import cache

import pytest
from _pytest.pytester import SysModulesSnapshot
from hypothesis import HealthCheck, settings

from bpflab import Lab

pytest_plugins = ["pytester"]

# A shell that starts a job in the background has it ignore Ctrl-C, and so would everything that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", patient, derandomize=True)
settings.register_profile("random", patient, derandomize=False)
settings.register_profile("long", patient, derandomize=False, max_examples=2000)
settings.register_profile("few", patient, derandomize=True, max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "same")

KEPT = {"bpflab", "bpflab_packets", "elftools", "hypothesis", "pyroute2", "rich", "scapy"}
"""The library, and the packages whose classes it holds."""
_tried: list[str] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == "subprocess.Popen" and arguments[0] == sys.executable:
        _tried.append(sys.executable)


sys.addaudithook(_hear)


@cache
def python_starts() -> bool:
    try:
        return subprocess.run([sys.executable, "-c", ""], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="session", autouse=True)
def _modules_of_inner_sessions_stay() -> Generator[None]:
    """Keep what an inner session imports: pytester forgets it, and a module's second copy has classes of its own."""
    restore = SysModulesSnapshot.restore

    def restore_others(snapshot: SysModulesSnapshot) -> None:
        kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in KEPT}
        restore(snapshot)
        sys.modules.update(kept)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SysModulesSnapshot, "restore", restore_others)
        yield


@pytest.fixture(scope="session")
def kernel_types() -> None:
    """Skip a test where the simulated kernel has no types: it takes them of a running kernel of its byte order."""
    with Lab("sim") as lab:
        if lab.backend.kernel_btf() is None:
            pytest.skip("the simulated kernel has no types here")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    tried = bool(_tried)
    if report.failed and tried and not python_starts():
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, "needs to start Python, which an emulated one cannot")
    if report.when == "teardown":
        _tried.clear()
    return report
