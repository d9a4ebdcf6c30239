"""The report directory: made on first use, one a test, shared by all that have something to leave there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_bpflab.report_dir import DEFAULT, LONGEST_NAME, directory_name

WRITING = """
    import pytest
    from pytest_bpflab.report_dir import write_report

    @pytest.mark.parametrize("case", ["a", "b"])
    def test_leaves(request, case):
        print("left", write_report(request.node, "one.txt", case), write_report(request.node, "two.bin", b"2"))
"""


def test_nothing_is_made_before_something_is_written(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_nothing(bpf):\n    pass")
    suite.runpytest_inprocess("--bpf=sim").assert_outcomes(passed=1)
    assert not (suite.path / DEFAULT).exists()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_each_test_has_a_directory_of_its_own_that_git_leaves_out(suite: pytest.Pytester, workers: str) -> None:
    suite.makepyfile(WRITING)
    suite.runpytest("-n", workers, "-s").assert_outcomes(passed=2)
    root = suite.path / DEFAULT
    assert {str(path.relative_to(root)): path.read_text() for path in root.rglob("*.*") if path.is_file()} == {
        ".gitignore": "*\n",
        **{
            f"{file}.py-test_leaves[{case}]/{name}": content
            for file in ["test_each_test_has_a_directory_of_its_own_that_git_leaves_out"]
            for case in "ab"
            for name, content in [("one.txt", case), ("two.bin", "2")]
        },
    }


def test_a_directory_is_emptied_of_what_an_earlier_session_left(suite: pytest.Pytester) -> None:
    file = suite.makepyfile(WRITING)
    stale = suite.path / "elsewhere" / f"{file.name}-test_leaves[a]" / "stale.txt"
    stale.parent.mkdir(parents=True)
    stale.write_text("old")
    result = suite.runpytest_inprocess("-s", "--bpf-report-dir=elsewhere")
    result.stdout.fnmatch_lines([f"*left elsewhere/{file.name}-test_leaves[[]a]/one.txt elsewhere/*/two.bin*"])
    assert not stale.exists()


def test_the_ini_file_can_say_where(suite: pytest.Pytester) -> None:
    suite.makeini("[pytest]\nbpf_report_dir = left")
    suite.makepyfile(WRITING)
    suite.runpytest_inprocess()
    assert len(list((suite.path / "left").glob("*/one.txt"))) == 2


def test_what_cannot_be_written_is_said_in_words(suite: pytest.Pytester) -> None:
    suite.makepyfile(WRITING)
    Path("full").write_text("a file where a directory should be")
    result = suite.runpytest_inprocess("-s", "--bpf-report-dir=full/directory")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*left (one.txt could not be written to *full/directory: Not a directory)*"])


def test_names_of_tests_that_no_directory_can_have_stay_apart() -> None:
    nodeids = [f"tests/test_a.py::test_x[{name}]" for name in ("a/b", "a.b", "a b", "a_b", "x" * 300, "x" * 301)]
    names = [directory_name(nodeid) for nodeid in nodeids]
    assert len(set(names)) == len(names)
    assert all(len(name) <= LONGEST_NAME + 9 and "/" not in name and " " not in name for name in names)
