"""`--bpf-cov`: what a session says of the programs that it ran, and what it leaves."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

from bpflab.coverage import CoverageData, read_file
from bpflab.obj.prebuilt import object_of

EXAMPLE: Final = Path(__file__).parents[2] / "examples/xdp_firewall"

TESTS: Final = """
    import pytest

    PARITY = '''
        r2 = *(u32 *)(r1 + 0)
        r3 = *(u32 *)(r1 + 4)
        r4 = r2
        r4 += 14
        if r4 > r3 goto odd
        r0 = *(u8 *)(r2 + 0)
        r0 &= 1
        if r0 != 0 goto odd
        r0 = 2
        exit
    odd:
        r0 = 1
        exit
    '''

    @pytest.mark.parametrize("first", [0, 1])
    def test_parity(bpf, first):
        program = bpf.program(PARITY, type="xdp", name="parity")
        assert program.run(bytes([first] * 20)).retval == 2 - first

    def test_nothing(bpf):
        bpf.program(PARITY, type="xdp", name="idle")
"""

TABLE: Final = """
*= coverage of BPF programs =*
Program without source   Insns   Miss  Branches   Miss  Cover  Missing
----------------------------------------------------------------------
idle                        12     12         4      4     0%  0-11
parity                      12      0         4      1    94%  4->10
----------------------------------------------------------------------
TOTAL                       24     12         8      5    47%
""".strip().splitlines()

FULL: Final = (
    "program 'full' was not measured on kernel: all registers are in use, and the function at instruction 0 uses "
    "512 bytes of its stack"
)
BACKENDS: Final = ["sim", pytest.param("kernel", marks=pytest.mark.bpf(backend="kernel"))]


def data_of(suite: pytest.Pytester) -> CoverageData:
    return read_file(suite.path / ".bpf-coverage")


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_table_shows_what_was_missed_on_either_backend(suite: pytest.Pytester, backend: str) -> None:
    suite.makepyfile(TESTS)
    result = suite.runpytest_inprocess(f"--bpf={backend}", "--bpf-cov", "--bpf-cov-report=term-missing")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(TABLE, consecutive=True)


def test_nothing_is_measured_or_left_without_the_option(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        import sys

        def test_plain(bpf):
            bpf.program("r0 = 2\\nexit", type="xdp")
            assert not [name for name in sys.modules if name.startswith("bpflab.coverage")]
    """)
    result = suite.runpytest_subprocess("--bpf=sim", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*coverage*")
    assert not suite.path.joinpath(".bpf-coverage").exists()


def test_workers_measure_together_what_one_process_does(suite: pytest.Pytester) -> None:
    suite.makepyfile(TESTS)
    suite.runpytest_inprocess("--bpf=sim", "--bpf-cov")
    alone = data_of(suite)
    result = suite.runpytest_subprocess("--bpf=sim", "-n", "2", "--bpf-cov-report=term-missing")
    result.stdout.fnmatch_lines(TABLE, consecutive=True)
    assert data_of(suite) == alone


def test_what_a_killed_worker_measured_before_is_kept(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        TESTS
        + """
    def test_worker_dies(bpf):
        import os
        os.kill(os.getpid(), 9)
    """
    )
    result = suite.runpytest_subprocess("--bpf=sim", "-n", "1", "--bpf-cov-report=term-missing")
    result.stdout.fnmatch_lines(TABLE, consecutive=True)


def test_an_interrupted_session_reports_what_it_measured(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        TESTS
        + """
    def test_interrupted(bpf):
        raise KeyboardInterrupt
    """
    )
    result = suite.runpytest_subprocess("--bpf=sim", "--bpf-cov-report=term-missing")
    result.stdout.fnmatch_lines(TABLE, consecutive=True)


def test_a_second_session_forgets_the_first_unless_it_appends(suite: pytest.Pytester) -> None:
    suite.makepyfile(TESTS)
    suite.runpytest_inprocess("--bpf=sim", "--bpf-cov", "-k", "parity and 0")
    first = data_of(suite)
    suite.runpytest_inprocess("--bpf=sim", "--bpf-cov", "-k", "parity and 1")
    second = data_of(suite)
    suite.runpytest_inprocess("--bpf=sim", "--bpf-cov-append", "-k", "parity and 0")
    assert first.hits != second.hits
    first.merge(second)
    assert data_of(suite) == first


@pytest.mark.parametrize(("least", "code"), [("47.5", 1), ("46", 0)])
def test_a_session_fails_when_too_little_ran(suite: pytest.Pytester, least: str, code: int) -> None:
    suite.makepyfile(TESTS)
    result = suite.runpytest_inprocess("--bpf=sim", f"--bpf-cov-fail-under={least}")
    said = f"FAIL: 47% ran; --bpf-cov-fail-under asks for {least}%."
    assert result.ret == code
    assert (said in result.stdout.lines) == bool(code)


def test_every_kind_of_report_is_written_where_it_was_asked_for(suite: pytest.Pytester) -> None:
    shutil.copy(object_of(EXAMPLE / "firewall.bpf.c"), suite.path / "firewall.bpf.o")
    shutil.copy(EXAMPLE / "firewall.bpf.c", suite.path)
    suite.makepyfile("""
        def test_firewall(bpf):
            bpf.load("firewall.bpf.o").programs.firewall.run(bytes(60))
    """)
    kinds = ["lcov:out/bpf.lcov", "xml", "html:pages"]
    result = suite.runpytest_inprocess("--bpf=sim", *(f"--bpf-cov-report={kind}" for kind in kinds))
    result.stdout.fnmatch_lines(
        [
            "*= coverage of BPF programs =*",
            f"lcov report written to {suite.path}/out/bpf.lcov",
            f"xml report written to {suite.path}/bpf-coverage.xml",
            f"html report written to {suite.path}/pages",
        ]
    )
    assert f"SF:{suite.path}/firewall.bpf.c\n" in suite.path.joinpath("out/bpf.lcov").read_text("utf-8")
    assert 'filename="firewall.bpf.c"' in suite.path.joinpath("bpf-coverage.xml").read_text("utf-8")
    assert "firewall.bpf.c" in suite.path.joinpath("pages/index.html").read_text("utf-8")


def test_only_the_files_under_a_source_are_reported(suite: pytest.Pytester) -> None:
    shutil.copy(object_of(EXAMPLE / "firewall.bpf.c"), suite.path / "firewall.bpf.o")
    shutil.copy(EXAMPLE / "firewall.bpf.c", suite.path)
    suite.makepyfile("def test_firewall(bpf): bpf.load('firewall.bpf.o')")
    suite.runpytest_inprocess("--bpf=sim", "--bpf-cov=firewall.bpf.c").stdout.fnmatch_lines(["firewall.bpf.c  *   0%"])
    other = suite.runpytest_inprocess("--bpf=sim", "--bpf-cov=elsewhere")
    other.stdout.fnmatch_lines(["No BPF program was loaded *"])


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--bpf-cov-report=csv", "*--bpf-cov-report: 'csv' is no report of coverage; expected one of term, *"),
        ("--bpf-cov-fail-under=much", "*invalid float value: 'much'*"),
    ],
)
def test_a_mistake_in_an_option_ends_the_session_before_it_begins(
    suite: pytest.Pytester, option: str, said: str
) -> None:
    result = suite.runpytest_inprocess(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_a_report_that_cannot_be_written_fails_the_session_in_words(suite: pytest.Pytester) -> None:
    suite.makepyfile(TESTS)
    result = suite.runpytest_inprocess("--bpf=sim", "--bpf-cov-data=programs.py/data")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: Coverage cannot be written to *programs.py/data: *"])


@pytest.mark.bpf(backend="kernel")
def test_a_program_that_cannot_be_measured_is_named_with_the_reason(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        from bpflab.asm import *

        def test_full(bpf):
            others = [r0, r2, r3, r4, r5, r6, r7, r8]
            crowded = [st(DW, r10, -512, 1), ldx(W, r9, r1, 12), *[mov(reg, 3) for reg in others]]
            crowded += [jeq(r9, 1, "one"), mov(r0, 4), label("one"), *[add(r0, reg) for reg in [*others, r9, r1]]]
            bpf.program([*crowded, mov(r0, 2), exit_()], type="xdp", name="full").run(bytes(20))
    """)
    result = suite.runpytest_inprocess("--bpf=kernel", "--bpf-cov")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "No BPF program was loaded *",
            FULL,
        ]
    )
