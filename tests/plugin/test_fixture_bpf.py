from __future__ import annotations

import pytest


def test_the_fixture_is_a_lab_that_runs_programs(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from bpflab import XDP
        from programs import PASS

        def test_pass(bpf):
            assert bpf.program(PASS, type="xdp").run(bytes(64)).action is XDP.PASS
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=1)


def test_what_a_test_opened_is_closed_after_it(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from programs import PASS
        kept = []

        def test_opens(bpf):
            kept.append(bpf.program(PASS))

        def test_sees_it_closed():
            assert kept[0].closed
            assert kept[0].lab.closed
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=2)


def test_it_is_closed_after_a_failure_too(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from programs import PASS
        kept = []

        def test_fails(bpf):
            kept.append(bpf.program(PASS))
            raise RuntimeError

        def test_sees_it_closed():
            assert kept[0].closed
    """)
    suite.runpytest_inprocess().assert_outcomes(passed=1, failed=1)


@pytest.mark.bpf(backend="kernel")
def test_a_test_that_leaves_a_program_open_in_the_kernel_is_told(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from bpflab import Lab
        from programs import PASS

        def test_leaks(bpf):
            Lab("kernel").program(PASS)
    """)
    result = suite.runpytest_subprocess("--bpf=kernel")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*test_leaks left open in the kernel: a program (fd *)*close it*"])


@pytest.mark.bpf(backend="kernel")
def test_a_lab_that_the_test_closed_itself_is_no_leak(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from bpflab import Lab
        from programs import PASS

        def test_closes(bpf):
            with Lab("kernel") as lab:
                lab.program(PASS)
    """)
    suite.runpytest_inprocess("--bpf=kernel").assert_outcomes(passed=1, warnings=0)


def test_a_file_is_looked_for_beside_the_test_file_first(suite: pytest.Pytester) -> None:
    suite.mkpydir("deep").joinpath("thing.bpf.o").write_bytes(b"beside")
    suite.path.joinpath("thing.bpf.o").write_bytes(b"elsewhere")
    suite.path.joinpath("only_here.bpf.o").write_bytes(b"elsewhere")
    suite.path.joinpath("deep", "test_found.py").write_text(
        """
def test_found(bpf):
    assert bpf.found("thing.bpf.o").read_bytes() == b"beside"
    assert bpf.found("only_here.bpf.o").read_bytes() == b"elsewhere"
    assert bpf.found("nowhere.bpf.o").parent.name == "deep"
""",
        encoding="utf-8",
    )
    suite.runpytest_inprocess("deep").assert_outcomes(passed=1)
