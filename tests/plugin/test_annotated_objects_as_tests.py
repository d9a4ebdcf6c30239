"""An object on the command line is a file of tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bpflab.obj import compile_c

SOURCE = Path(__file__).parent.parent / "objects" / "annotated.bpf.c"


@pytest.fixture
def objects(pytester: pytest.Pytester) -> pytest.Pytester:
    shutil.copy(compile_c(SOURCE), pytester.path / "annotated.bpf.o")
    return pytester


def test_each_program_with_expectations_is_a_test(objects: pytest.Pytester, bpf_backend: str) -> None:
    result = objects.runpytest(f"--bpf={bpf_backend}", "annotated.bpf.o", "-v")
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(
        [
            "annotated.bpf.o::only_ipv4 PASSED*",
            "annotated.bpf.o::wrong_verdict FAILED*",
            "*says PASS to the packet 'ipv4_frame'; its source expects DROP.",
            "*wrong_hope was loaded; its source expects a refusal.",
        ]
    )


def test_one_program_is_named_as_a_test_is(objects: pytest.Pytester, bpf_backend: str) -> None:
    objects.runpytest(f"--bpf={bpf_backend}", "annotated.bpf.o::only_ipv4").assert_outcomes(passed=1)


def test_objects_that_are_not_named_are_left_alone(objects: pytest.Pytester) -> None:
    assert objects.runpytest("--bpf=sim").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_setting_has_objects_collected_everywhere(objects: pytest.Pytester) -> None:
    objects.makeini("[pytest]\nbpf_objects = true\n")
    objects.runpytest("--bpf=sim").assert_outcomes(passed=4, failed=2)


def test_a_file_that_is_no_object_is_an_error_in_words(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("broken.bpf.o").write_bytes(b"no object")
    result = pytester.runpytest("--bpf=sim", "broken.bpf.o")
    result.assert_outcomes(errors=1)
