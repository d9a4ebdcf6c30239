from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.prog_types import ProgType
from bpflab_packets.pcapng import Captured, Direction, read_packets
from pytest_bpflab.keeping import KeptRun
from pytest_bpflab.packets import captured

if TYPE_CHECKING:
    import pytest

FAILING = """
    from programs import PASS

    def test_it(bpf):
        program = bpf.program(PASS, name="passing")
        program.run(bytes(60))
        program.run(bytes(range(64)))
        assert False

    def test_passes(bpf):
        bpf.program(PASS).run(bytes(60))
"""
FILE = ".bpflab-report/test_it.py-test_it/packets.pcapng"


def test_a_failing_test_leaves_its_packets_with_verdict_program_run_and_name(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_it=FAILING)
    result = suite.runpytest_inprocess("--bpf=sim")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*- bpf packets -*", f"What went in and came out of 2 runs: {FILE}"])
    told = "program passing, XDP.PASS; test_it.py::test_it"
    assert read_packets(suite.path / FILE) == [
        Captured(bytes(60), (f"in: run 1, {told}",), Direction.IN),
        Captured(bytes(60), (f"out: run 1, {told}",), Direction.OUT),
        Captured(bytes(range(64)), (f"in: run 2, {told}",), Direction.IN),
        Captured(bytes(range(64)), (f"out: run 2, {told}",), Direction.OUT),
    ]
    assert not (suite.path / ".bpflab-report" / "test_it.py-test_passes").exists()


def test_a_run_that_was_refused_leaves_what_went_in() -> None:
    run = KeptRun(1, "p", ProgType.XDP, bytes(60), b"", 0, errno=22)
    assert list(captured([run], "test")) == [
        Captured(bytes(60), ("in: run 1, program p, refused with EINVAL; test",), Direction.IN)
    ]


def test_a_packet_that_was_changed_says_so() -> None:
    run = KeptRun(1, "p", ProgType.XDP, bytes(60), b"\1", 3, errno=0)
    assert [packet.comments[0] for packet in captured([run], "test")] == [
        "in: run 1, program p, XDP.TX; test",
        "out (changed): run 1, program p, XDP.TX; test",
    ]


def test_the_last_runs_of_many_are_kept(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_it="""
        from programs import PASS

        def test_it(bpf):
            program = bpf.program(PASS)
            for size in range(600):
                program.run(bytes(60 + size))
            assert False
    """
    )
    result = suite.runpytest_inprocess("--bpf=sim")
    result.stdout.fnmatch_lines(["What went in and came out of the last 500 of 600 runs: *"])
    packets = read_packets(suite.path / FILE)
    assert (len(packets), len(packets[0].frame)) == (1000, 160)


def test_an_expected_failure_leaves_nothing(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_it="""
        import pytest
        from programs import PASS

        @pytest.mark.xfail
        def test_it(bpf):
            bpf.program(PASS).run(bytes(60))
            assert False
    """
    )
    suite.runpytest_inprocess("--bpf=sim").assert_outcomes(xfailed=1)
    assert not (suite.path / ".bpflab-report").exists()


def test_a_directory_that_cannot_be_written_is_a_line_of_the_report(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_it=FAILING)
    (suite.path / "reports").write_text("a file")
    result = suite.runpytest_inprocess("--bpf=sim", "--bpf-report-dir=reports")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*(packets.pcapng could not be written to *reports: *)"])


def test_a_test_without_runs_leaves_nothing(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_it="def test_it(bpf): assert False")
    result = suite.runpytest_inprocess("--bpf=sim")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*bpf packets*")
