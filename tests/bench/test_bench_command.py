from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bpflab.abi.architectures import current
from bpflab.bench.measure import Measured
from bpflab.bench.results import Measurement, load
from bpflab.bench.suite import Suite, command
from bpflab.bench.targets import Target
from bpflab.cli import main
from bpflab.errors import RunnerError
from bpflab.runner.launch import Launch

SUITE = Path(__file__).parent / "suite"


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", str(SUITE), *arguments])


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> dict[str, float | BaseException]:
    """Give what each target measures for its one benchmark, or raises; nothing is run."""
    known: dict[str, float | BaseException] = {"arm64": 1000.0, "s390x": 2000.0}

    def measure(_: object, target: Target, *__: object, **___: object) -> Measured:
        value = known[target.name]
        if isinstance(value, BaseException):
            raise value
        found = Measurement("b.py::test", target.name, value, 0.0, "instructions", deterministic=True)
        return Measured(target.name, {"python": "3.11.2"}, (found,))

    monkeypatch.setattr("bpflab.bench.measure.measure", measure)
    return known


def test_a_count_over_the_limit_fails_and_names_the_benchmark(values: dict[str, Any], tmp_path: Path) -> None:
    assert bench("--arch", "arm64,s390x", "--json", str(tmp_path)).exit_code == 0
    values["s390x"] = 2011.0
    result = bench("--arch", "arm64,s390x", "--compare", str(tmp_path), "--fail-over", "0.5%")
    assert result.exit_code == 1
    assert "b.py::test on s390x grew by 0.550%, over 0.500%" in result.output
    assert "on arm64 grew" not in result.output
    assert bench("--arch", "arm64,s390x", "--compare", str(tmp_path), "--fail-over", "0.6%").exit_code == 0


def test_without_a_limit_a_comparison_is_only_shown(values: dict[str, Any], tmp_path: Path) -> None:
    bench("--arch", "arm64", "--json", str(tmp_path))
    values["arm64"] = 4000.0
    result = bench("--arch", "arm64", "--compare", str(tmp_path / "results.json"))
    assert result.exit_code == 0
    assert "4.0000" in result.output


def test_results_of_other_architectures_alone_cannot_be_judged(values: dict[str, Any], tmp_path: Path) -> None:
    assert values["arm64"]
    bench("--arch", "arm64", "--json", str(tmp_path))
    result = bench("--arch", "s390x", "--compare", str(tmp_path), "--fail-over", "1%")
    assert result.exit_code == 1
    assert "Nothing was counted in both results" in result.output


def test_a_target_that_fails_is_told_and_the_others_are_kept(values: dict[str, Any], tmp_path: Path) -> None:
    values["s390x"] = RunnerError("the mirror is out of reach")
    result = bench("--arch", "s390x,arm64", "--json", str(tmp_path))
    assert result.exit_code == 1
    assert "s390x: the mirror is out of reach" in result.output
    assert list(load(tmp_path).targets) == ["arm64"]


def test_ctrl_c_keeps_what_was_finished(values: dict[str, Any], tmp_path: Path) -> None:
    values["s390x"] = KeyboardInterrupt()
    result = bench("--arch", "arm64,s390x", "--json", str(tmp_path))
    assert result.exit_code == 130
    assert f"Stopped. What was finished is in {tmp_path / 'results.json'}." in result.output
    assert list(load(tmp_path).targets) == ["arm64"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--plot"], "--plot draws into the directory of --json"),
        (["--fail-over", "1%"], "name older results with --compare"),
        (["--arch", "vax"], "known are x86_64, arm64"),
        (["--compare", "none.json"], "cannot be read"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(options: list[str], said: str) -> None:
    result = bench(*options)
    assert result.exit_code == 2
    assert said in result.output


def test_paths_that_are_not_there_are_told() -> None:
    result = CliRunner().invoke(main, ["bench", "no/such/suite"])
    assert (result.exit_code, "There is no no/such/suite" in result.output) == (2, True)


def test_a_run_has_the_options_the_expression_and_the_file() -> None:
    made = command(Suite(("a", "b"), "some"), Launch(("python",), {}), ["--bpf=sim"], Path("out.json"))
    assert made[:5] == ["python", "-m", "pytest", "a", "b"]
    assert {"--bpf=sim", "--benchmark-json=out.json", "bpflab.bench.inside"} <= set(made)
    assert made[-2:] == ["-k", "some"]


def test_what_follows_two_dashes_reaches_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Suite] = []

    def measure(_: object, target: Target, suite: Suite, *__: object, **___: object) -> Measured:
        asked.append(suite)
        found = Measurement("b.py::test", target.name, 1.0, 0.0, "instructions", deterministic=True)
        return Measured(target.name, {}, (found,))

    monkeypatch.setattr("bpflab.bench.measure.measure", measure)
    result = bench("--arch", "arm64,s390x", "--quiet", "--", "--quick", "-k", "some", "--", "more")
    assert result.exit_code == 0, result.output
    assert asked == [Suite((str(SUITE),), "", ("--quick", "-k", "some", "--", "more"))] * 2
    assert command(asked[0], Launch(("python",), {}), [], Path("out.json"))[-5:] == list(asked[0].arguments)


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bpflab.cli", "bench", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_suite_is_measured_natively_with_what_its_figures_depend_on(tmp_path: Path) -> None:
    pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed")
    done = run(str(SUITE), "--arch", "native", "-k", "10", "--json", str(tmp_path), "--quiet")
    assert done.returncode == 0, done.stderr
    found = load(tmp_path)
    assert sorted(each.params["size"] for each in found.measurements) == [10, 100, 1000]
    assert not any(each.deterministic for each in found.measurements)
    assert found.targets["native"]["python"] == ".".join(map(str, sys.version_info[:3]))


def test_a_worker_of_xdist_can_measure() -> None:
    pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed")
    done = run(str(SUITE), "--arch", "native", "-k", "10", "--quiet", PYTEST_XDIST_WORKER="gw0")
    assert done.returncode == 0, done.stderr


def test_a_suite_that_fails_is_told_with_the_test(tmp_path: Path) -> None:
    pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed")
    (tmp_path / "test_bad.py").write_text(
        "def test_bad(benchmark):\n    assert benchmark(int) == 1\n", encoding="utf-8"
    )
    done = run(str(tmp_path), "--arch", "native")
    assert done.returncode == 1
    assert "native: failed " in done.stderr
    assert "test_bad.py::test_bad" in done.stderr


def test_ctrl_c_ends_the_measured_process_with_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed")
    started = tmp_path / "started"
    (tmp_path / "test_slow.py").write_text(
        f"import os, pathlib, time\npathlib.Path({str(started)!r}).write_text(str(os.getpid()))\ntime.sleep(60)\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "bpflab.cli", "bench", str(tmp_path), "--arch", "native"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (started.exists() and started.read_text("utf-8")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=30)[1]
    assert (process.returncode, told.endswith("Stopped.\n")) == (130, True)
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text("utf-8")), 0)


@pytest.mark.skipif(
    os.environ.get("BPFLAB_GUESTS") != "1", reason="$BPFLAB_GUESTS is not 1: guests are run when asked for"
)
@pytest.mark.parametrize("name", sorted({current().name, "arm64", "s390x"}))
def test_two_runs_differ_by_at_most_a_thousandth(name: str, tmp_path: Path) -> None:
    done = run(str(SUITE), "--arch", name, "--runs", "3", "--json", str(tmp_path), "--quiet")
    assert done.returncode == 0, done.stderr
    found = load(tmp_path).measurements
    assert [each.deterministic for each in found] == [True] * 4
    assert max(each.spread for each in found) <= 0.001
    assert load(tmp_path).targets[name]["qemu"]
