"""What the plugin adds to tests: sessions of pytest inside of this process, by number of tests.

What it adds to the start of a process, and `import bpflab`, is measured by bench_plugin.py.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from measure import Measure, Work

EMPTY = "import pytest\n\n@pytest.mark.parametrize('number', range({tests}))\ndef test_it(number):\n    pass\n"
LAB = EMPTY.replace("(number)", "(number, bpf)")
PACKET = """
import pytest

@pytest.fixture(scope="module")
def program(bpf_module):
    return bpf_module.program("r0 = 2\\nexit", type="xdp")

@pytest.mark.parametrize("number", range({tests}))
def test_it(number, program):
    assert program.run(bytes(60)).retval == 2
"""
TEXTS = {"none": EMPTY, "unused": EMPTY, "lab": LAB, "packet": PACKET}
"""Sessions without the plugin; with it, unused; with a Lab for each test; with a packet for each test."""


@pytest.mark.ways(*TEXTS)
@pytest.mark.axis("tests", kernel=[1, 20, 100], sim=[1, 5, 20])
def test_session(measure: Measure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tests: int, way: str) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")

    def session(name: str) -> Work:
        test = tmp_path / f"test_{name}_{tests}.py"
        test.write_text(TEXTS[name].format(tests=tests), encoding="utf-8")
        plugin = [] if name == "none" else ["-p", "pytest_bpflab", "--bpf=sim"]
        arguments = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", f"--rootdir={tmp_path}", *plugin]

        def run() -> None:
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = pytest.main([*arguments, str(test)])
            if code:
                raise AssertionError(f"the session failed: {said.getvalue()}")

        return run

    measure(
        {name: session(name) for name in {way, "none"}},
        way,
        group="plugin",
        subject="a session of tests",
        operations=tests,
        axis="tests",
        value=tests,
        baseline="none" if way != "none" else "",
    )
