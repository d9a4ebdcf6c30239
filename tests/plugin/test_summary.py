from __future__ import annotations

import pytest

THREE_TESTS = """
    import pytest

    def test_one(bpf): pass

    def test_two(bpf):
        assert bpf is None

    @pytest.mark.skip
    def test_skipped(bpf): pass

    def test_plain(): pass
"""


@pytest.mark.bpf(backend="kernel")
def test_the_summary_counts_what_ran_on_the_kernel(suite: pytest.Pytester) -> None:
    suite.makepyfile(THREE_TESTS)
    result = suite.runpytest_inprocess("--bpf=kernel")
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["bpf: 2 tests ran on the kernel (Linux *)"])


def test_the_summary_counts_the_same_over_several_workers(suite: pytest.Pytester) -> None:
    suite.makepyfile(THREE_TESTS)
    result = suite.runpytest_subprocess("--bpf=sim", "-n", "2")
    result.stdout.fnmatch_lines(["bpf: 2 tests ran on the simulated kernel (Linux *)"])


def test_a_fixture_that_opens_its_own_lab_by_the_backends_name_counts(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import pytest
        from bpflab import Lab

        @pytest.fixture(scope="module")
        def lab(bpf_backend):
            with Lab(bpf_backend) as lab:
                yield lab

        def test_one(lab): pass
        def test_two(lab): pass
    """)
    suite.runpytest_inprocess("--bpf=sim").stdout.fnmatch_lines(["bpf: 2 tests ran on the simulated kernel *"])


def test_the_backend_is_a_property_in_junit_xml(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_one(bpf): pass")
    suite.runpytest_inprocess("--bpf=sim", "--junit-xml=junit.xml")
    assert '<property name="bpf_backend" value="sim"' in suite.path.joinpath("junit.xml").read_text("utf-8")


def test_a_run_without_bpf_tests_says_nothing_and_imports_nothing(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import sys

        def test_plain():
            assert "bpflab" not in sys.modules
    """)
    result = suite.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("bpf:*")


def test_a_plugin_can_hear_of_each_run(suite: pytest.Pytester) -> None:
    suite.makeconftest("""
        def pytest_bpf_run(item, run):
            print("heard", item.name, run.backend, run.program, run.verdict.name, run.packet == run.output, run.errno)
    """)
    suite.makepyfile("""
        from programs import PASS

        def test_runs(bpf):
            bpf.program(PASS, name="passing").run(bytes(range(64)))
    """)
    result = suite.runpytest_inprocess("-s", "--bpf=sim")
    result.stdout.fnmatch_lines(["*heard test_runs sim passing PASS True 0"])
