from __future__ import annotations

from pathlib import Path

import pytest


def test_the_fixture_is_a_lab_whose_calls_are_scripted_and_logged(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import sys
        import pytest
        from bpflab.errors import MapFullError

        def block(lab, port):
            lab.maps["blocked"][port] = 1

        def test_a_full_map(bpf_mock):
            bpf_mock.map("hash", key="u32", value="u32", max_entries=9, name="blocked")
            bpf_mock.on("MAP_UPDATE_ELEM", map="blocked").fails("E2BIG")
            with pytest.raises(MapFullError):
                block(bpf_mock, 23)
            assert bpf_mock.calls("MAP_UPDATE_ELEM")[0].key == (23).to_bytes(4, sys.byteorder)
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_test_that_passes_and_leaves_answers_unused_is_an_error_that_names_them(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        def test_leaves(bpf_mock):
            bpf_mock.on("MAP_CREATE", map_name="m").fails("ENOMEM", times=2)
    """)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["Scripted answers were not used: MAP_CREATE(map_name='m').fails(ENOMEM), 2 times, used 0 times. The calls *"]
    )


def test_a_test_that_fails_is_not_told_of_its_unused_answers_too(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        def test_fails(bpf_mock):
            bpf_mock.on("MAP_CREATE").fails("ENOMEM")
            raise RuntimeError
    """)
    suite.runpytest_inprocess().assert_outcomes(failed=1)


def test_strict_refuses_what_is_not_scripted_where_it_is_called(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        def test_strict(bpf_mock):
            bpf_mock.strict = True
            bpf_mock.map("array", value="u32", max_entries=1, name="m")
    """)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*UnscriptedCallError: The strict mock was called with MAP_CREATE(map_type=2,*"])


def test_the_fixture_needs_no_backend_and_runs_once_under_both(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        def test_name(bpf_mock):
            assert bpf_mock.backend.name == "mock"
    """)
    suite.runpytest_inprocess("--bpf=sim").assert_outcomes(passed=1)


def test_the_example_of_the_guide_passes(suite: pytest.Pytester) -> None:
    guide = (Path(__file__).parents[2] / "docs/mocks.md").read_text("utf-8")
    example = guide.split("```python\n")[1].split("```")[0]
    suite.makepyfile(f"from bpflab.errors import MapFullError\n\n{example}")
    suite.runpytest_inprocess().assert_outcomes(passed=1)
