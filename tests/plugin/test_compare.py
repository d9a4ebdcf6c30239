"""Under --bpf=both a test fails where its backends differ, even where it did not look."""

from __future__ import annotations

import pytest

from bpflab.backend.select import kernel_refusal

pytestmark = pytest.mark.skipif(bool(kernel_refusal()), reason=str(kernel_refusal()))

PROGRAMS = """
    from bpflab.asm import W, call, exit_, ld_map_value, mov, r0, r1, r2, stx

    SAME = [mov(r0, 2), exit_()]
    CLOCK = [call("ktime_get_ns"), exit_()]
    TO_MAP = [call("ktime_get_ns"), ld_map_value(r1, "seen", 0), stx(W, r1, r0, 0), mov(r0, 2), exit_()]
"""


@pytest.fixture
def both(suite: pytest.Pytester) -> pytest.Pytester:
    suite.makepyfile(programs=PROGRAMS)
    return suite


def test_a_test_that_does_the_same_on_both_passes(both: pytest.Pytester) -> None:
    both.makepyfile("""
        from programs import SAME

        def test_same(bpf):
            bpf.map("ARRAY", key="u32", value="u32", max_entries=2, name="seen")[0] = 7
            bpf.program(SAME, type="xdp").run(bytes(64))
    """)
    both.runpytest_inprocess("--bpf=both").assert_outcomes(passed=2)


def test_a_verdict_that_differs_fails_the_second(both: pytest.Pytester) -> None:
    both.makepyfile("""
        from programs import CLOCK

        def test_clock(bpf):
            bpf.program(CLOCK, type="xdp", name="clock").run(bytes(64))
    """)
    result = both.runpytest_inprocess("--bpf=both")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*The backends differ, in run 1, program 'clock': * on kernel and * on sim.*"])


def test_a_map_that_differs_fails_the_second(both: pytest.Pytester) -> None:
    both.makepyfile("""
        from programs import TO_MAP

        def test_map(bpf):
            bpf.map("ARRAY", key="u32", value="u32", max_entries=1, name="seen")
            bpf.program(TO_MAP, type="xdp").run(bytes(64))
    """)
    result = both.runpytest_inprocess("--bpf=both")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*The backends differ, in map 'seen' at key 00000000: *"])


def test_the_marker_excuses_a_test(both: pytest.Pytester) -> None:
    both.makepyfile("""
        import pytest
        from programs import CLOCK

        @pytest.mark.bpf(compare=False)
        def test_clock(bpf):
            bpf.program(CLOCK, type="xdp", name="clock").run(bytes(64))
    """)
    both.runpytest_inprocess("--bpf=both").assert_outcomes(passed=2)


def test_a_test_that_draws_its_input_is_compared_as_far_as_inputs_agree(both: pytest.Pytester) -> None:
    both.makepyfile("""
        import random
        from programs import SAME

        def test_draws(bpf):
            bpf.program(SAME, type="xdp").run(random.randbytes(64))
    """)
    both.runpytest_inprocess("--bpf=both").assert_outcomes(passed=2)


def test_workers_share_what_they_saw(both: pytest.Pytester) -> None:
    both.makepyfile("""
        import pytest
        from programs import CLOCK

        @pytest.mark.parametrize("turn", range(4))
        def test_clock(bpf, turn):
            bpf.program(CLOCK, type="xdp", name="clock").run(bytes(64))
    """)
    result = both.runpytest_subprocess("--bpf=both", "-n2")
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] >= 4
