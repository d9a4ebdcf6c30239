"""Coverage steers hypothesis to branches that no example went."""

from __future__ import annotations

from typing import Final

import pytest

NEEDLE: Final = """
    import pytest
    from hypothesis import given, settings, strategies as st

    NEEDLE = '''
        r2 = *(u32 *)(r1 + 0)
        r3 = *(u32 *)(r1 + 4)
        r4 = r2
        r4 += 14
        if r4 > r3 goto pass
        r0 = *(u8 *)(r2 + 0)
        if r0 != 11 goto pass
        r0 = *(u8 *)(r2 + 1)
        if r0 != 6 goto pass
        r0 = *(u8 *)(r2 + 2)
        if r0 != 13 goto pass
        r0 = 1
        exit
    pass:
        r0 = 2
        exit
    '''

    @pytest.fixture(scope="module")
    def needle(bpf_module):
        return bpf_module.program(NEEDLE, type="xdp", name="needle")

    byte = st.integers(0, 15)
    same = settings(max_examples=1000, derandomize=False, database=None, deadline=None)
"""
SEEDS: Final = ("--hypothesis-seed=2", "--hypothesis-seed=4")
PLAIN: Final = (
    NEEDLE
    + """
    @same
    @given(st.tuples(byte, byte, byte))
    def test_needle(needle, first):
        assert needle.run(bytes(first) + bytes(20)).retval == 2
"""
)
BY_FIXTURE: Final = (
    NEEDLE
    + """
    @same
    @given(st.tuples(byte, byte, byte))
    def test_needle(needle, bpf_cover_target, first):
        verdict = needle.run(bytes(first) + bytes(20)).retval
        bpf_cover_target()
        assert verdict == 2
"""
)


@pytest.mark.parametrize("seed", SEEDS)
def test_three_equalities_in_a_row_are_not_met_by_chance(suite: pytest.Pytester, seed: str) -> None:
    suite.makepyfile(PLAIN)
    suite.runpytest_inprocess("--bpf=sim", seed).assert_outcomes(passed=1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("tests", "option"), [(PLAIN, "--bpf-cov-target"), (BY_FIXTURE, "--bpf=sim")])
def test_they_are_met_in_as_many_examples_when_coverage_steers(
    suite: pytest.Pytester, tests: str, option: str, seed: str
) -> None:
    suite.makepyfile(tests)
    result = suite.runpytest_inprocess("--bpf=sim", option, seed)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*first=(11, 6, 13),*"])


@pytest.mark.bpf(backend="kernel")
def test_they_are_met_on_the_kernel_too(suite: pytest.Pytester) -> None:
    suite.makepyfile(PLAIN)
    result = suite.runpytest_inprocess("--bpf=kernel", "--bpf-cov-target", SEEDS[0])
    result.stdout.fnmatch_lines(["*first=(11, 6, 13),*"])


def test_steering_outside_hypothesis_is_answered_in_words(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_plain(bpf, bpf_cover_target): bpf_cover_target()")
    result = suite.runpytest_inprocess("--bpf=sim")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["bpf_cover_target() belongs at the end of a hypothesis test, once: *"])
