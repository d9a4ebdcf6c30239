"""What a session tells of its runs: in the summary, in JUnit XML, as JSON, and to GitHub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

TESTS = """
    import pytest
    from bpflab import Lab
    from programs import PASS

    def test_runs(bpf):
        program = bpf.program(PASS, name="firewall")
        for size in (14, 60, 1500):
            program.run(bytes(size))

    def test_fails(bpf):
        bpf.program(PASS, name="other").run(bytes(60))
        assert False

    def test_without_runs(bpf): pass

    @pytest.mark.bpf(kernel="99.0")
    def test_skipped(bpf): pass

    def test_plain(): pass
"""

REFUSED = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int unchecked(struct xdp_md *ctx)
{
    unsigned char *packet = (void *)(long)ctx->data;
    return packet[3];
}
"""


def written(suite: pytest.Pytester, *options: str) -> dict[str, Any]:
    """Run a suite with --bpf-json, and return its tests by name."""
    suite.makepyfile(TESTS)
    run = suite.runpytest_subprocess if "-n" in options else suite.runpytest_inprocess
    run("--bpf-json=runs.json", *options)
    document: dict[str, Any] = json.loads((suite.path / "runs.json").read_text("utf-8"))
    return document


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["here", "by workers"])
def test_the_json_document_lists_the_runs_of_each_test(
    suite: pytest.Pytester, bpf_backend: str, workers: tuple[str, ...]
) -> None:
    document = written(suite, f"--bpf={bpf_backend}", *workers)
    tests = {test["test"].partition("::")[2]: test for test in document["tests"]}
    assert {name: (test["outcome"], test["runs_total"]) for name, test in tests.items()} == {
        "test_runs": ("passed", 3),
        "test_fails": ("failed", 1),
        "test_without_runs": ("passed", 0),
        "test_skipped": ("skipped", 0),
        "test_plain": ("passed", 0),
    }
    first = tests["test_runs"]["runs"][0]
    assert [run["packet_length"] for run in tests["test_runs"]["runs"]] == [14, 60, 1500]
    wanted = {"program": "firewall", "type": "xdp", "verdict": "PASS", "retval": 2, "errno": 0, "output_length": 14}
    assert wanted.items() <= first.items()
    assert first["backend"] == bpf_backend
    assert first["kernel"].split(".")[0].isdigit()
    assert first["instructions"] == (2 if bpf_backend == "sim" else 0)
    assert (tests["test_plain"]["backend"], tests["test_runs"]["backend"]) == (None, bpf_backend)
    assert document["version"] == 1
    assert set(document["versions"]) == {"bpflab", "pytest", "python"}


def test_a_full_disk_is_a_warning_and_the_results_are_printed(suite: pytest.Pytester) -> None:
    suite.makepyfile(TESTS)
    result = suite.runpytest_inprocess("--bpf=sim", "--bpf-json=/dev/full")
    result.assert_outcomes(passed=3, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["bpf: --bpf-json: /dev/full could not be written: No space left on device.*"])


def test_a_directory_that_is_not_there_is_a_warning(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_one(bpf): pass")
    result = suite.runpytest_inprocess("--bpf=sim", "--bpf-json=nowhere/runs.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["bpf: --bpf-json: *nowhere/runs.json could not be written: No such file*"])


def test_a_document_that_cannot_be_replaced_is_left_whole(suite: pytest.Pytester) -> None:
    taken = suite.path / "runs.json"
    taken.mkdir()
    suite.makepyfile("def test_one(bpf): pass")
    suite.runpytest_inprocess("--bpf=sim", "--bpf-json=runs.json").assert_outcomes(passed=1)
    assert taken.is_dir()
    assert list(suite.path.glob(".runs.json-*")) == []


def test_runs_are_properties_of_the_test_in_junit_xml(suite: pytest.Pytester) -> None:
    suite.makepyfile(TESTS)
    suite.runpytest_inprocess("--bpf=sim", "--junit-xml=junit.xml")
    (case,) = ET.parse(suite.path / "junit.xml").findall(".//testcase[@name='test_runs']")
    found = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert found == {
        "bpf_backend": "sim",
        "bpf_kernel": "6.18.0",
        "bpf_runs": "3",
        "bpf_program:firewall": "runs=3 instructions=6 verdicts=PASS:3",
    }


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["here", "by workers"])
def test_the_summary_counts_runs_and_names_the_slowest_programs(
    suite: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    suite.makepyfile("""
        def test_slow(bpf):
            bpf.program("r1 = 1\\nr0 = 1\\nr0 = 2\\nexit", name="slow").run(bytes(14))

        def test_quick(bpf):
            bpf.program("r0 = 2\\nexit", name="quick").run_many([bytes(14)] * 1200)
    """)
    told = "bpf: 1,201 runs of 2 programs on the sim backend"
    slowest = "; slowest: slow 4 instructions a run (1 run), quick 2 instructions a run (1,200 runs)"
    result = (suite.runpytest_subprocess if workers else suite.runpytest_inprocess)("--bpf=sim", *workers)
    result.stdout.fnmatch_lines([told + slowest])
    if not workers:
        suite.runpytest_inprocess("--bpf=sim", "--bpf-slowest=1").stdout.fnmatch_lines(
            [f"{told}; slowest: slow 4 *run)"]
        )
        suite.runpytest_inprocess("--bpf=sim", "--bpf-slowest=0").stdout.fnmatch_lines([told])


@pytest.mark.bpf(backend="kernel")
def test_on_the_kernel_the_slowest_are_told_in_nanoseconds(suite: pytest.Pytester) -> None:
    suite.makepyfile(TESTS)
    result = suite.runpytest_inprocess("--bpf=kernel")
    result.stdout.fnmatch_lines(["bpf: 4 runs of 2 programs on the kernel backend; slowest: * ns a run (*"])


@pytest.fixture
def on_github(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite that runs as in a workflow of GitHub."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(suite.path.parent))
    return suite


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["here", "by workers"])
def test_github_is_told_of_a_refusal_on_the_line_of_the_c_source(
    on_github: pytest.Pytester, bpf_backend: str, workers: tuple[str, ...]
) -> None:
    (on_github.path / "unchecked.bpf.c").write_text(REFUSED, encoding="utf-8")
    on_github.makepyfile(test_loads="def test_load(bpf): bpf.load('unchecked.bpf.c')")
    run = on_github.runpytest_subprocess if workers else on_github.runpytest_inprocess
    result = run(f"--bpf={bpf_backend}", *workers)
    place = f"file={on_github.path.name}/unchecked.bpf.c,line=9,title=test_loads.py%3A%3Atest_load"
    result.stdout.fnmatch_lines([f"::error {place}::The verifier refused 'unchecked': invalid access to packet*"])


def test_github_is_told_of_a_failing_test_on_its_own_line(on_github: pytest.Pytester) -> None:
    on_github.makepyfile(
        test_it="def test_no(bpf):\n    assert 1 == 2, 'no: 50%'\n\ndef test_plain():\n    assert False"
    )
    result = on_github.runpytest_inprocess("--bpf=sim")
    place = f"::error file={on_github.path.name}/test_it.py,line=2,title=test_it.py%3A%3Atest_no::"
    errors = [line for line in result.outlines if line.startswith("::error")]
    assert errors == [f"{place}AssertionError: no: 50%25%0Aassert 1 == 2"]


def test_nothing_is_told_to_github_elsewhere(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    suite.makepyfile("def test_no(bpf): assert False")
    suite.runpytest_inprocess("--bpf=sim").stdout.no_fnmatch_line("::error*")


def test_a_document_is_readable_by_others(suite: pytest.Pytester) -> None:
    written(suite, "--bpf=sim")
    assert Path(suite.path, "runs.json").stat().st_mode & 0o777 == 0o644


def test_a_number_of_slowest_programs_that_is_none_is_refused_at_the_start(suite: pytest.Pytester) -> None:
    suite.makeini("[pytest]\nbpf_slowest = many\n")
    result = suite.runpytest_inprocess("--bpf=sim")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*bpf_slowest = 'many' in the ini file; expected a number of programs.*"])
