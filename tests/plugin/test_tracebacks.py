from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def test_an_error_of_the_library_points_at_the_line_of_the_test(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        def test_loads(bpf):
            bpf.load("nowhere.bpf.c")
    """)
    result = suite.runpytest_inprocess("--bpf=sim")
    result.stdout.fnmatch_lines([">*bpf.load(?nowhere.bpf.c?)", "E*ObjectError: There is no file *nowhere.bpf.c*"])
    result.stdout.no_fnmatch_line("*def load*")


def test_full_trace_shows_the_way_through_the_library(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        def test_loads(bpf):
            bpf.load("nowhere.bpf.c")
    """)
    suite.runpytest_inprocess("--bpf=sim", "--full-trace").stdout.fnmatch_lines(["*def load*"])


def test_an_error_of_the_test_itself_keeps_its_frames(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        def helper():
            raise RuntimeError("mine")

        def test_fails(bpf):
            helper()
    """)
    suite.runpytest_inprocess("--bpf=sim").stdout.fnmatch_lines([">*helper()", ">*raise RuntimeError*", "E*mine"])
