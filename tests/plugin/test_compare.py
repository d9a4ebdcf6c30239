"""Under --bpf=both a test fails where its backends differ, even where it did not look."""

from __future__ import annotations

import sys

import pytest

from bpflab import Lab
from bpflab.backend.select import kernel_refusal
from bpflab.maps.codecs.choose import make_codec
from bpflab.maps.codecs.records import RecordCodec, RecordField
from pytest_bpflab.excuses import Excuses
from pytest_bpflab.record import contents_of

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


CLOCKED = """
    import pytest
    from bpflab import SkBuff
    from bpflab.asm import DW, W, call, exit_, ld_map_value, mov, r0, r1, r6, st, stx
    from bpflab.maps.codecs.choose import make_codec
    from bpflab.maps.codecs.records import RecordCodec, RecordField

    time = RecordField("time", 0, 64, make_codec("u64"))
    inner = RecordCodec("inner", 8, [time], "little")
    count = RecordField("count", 0, 64, make_codec("u64"))
    outer = RecordCodec("outer", 16, [count, RecordField("at", 64, 64, inner)], "little")
    KEEP_THE_TIME = [
        mov(r6, r1), call("ktime_get_ns"), ld_map_value(r1, "seen.by", 0),
        st(DW, r1, 0, 7), stx(DW, r1, r0, 8), stx(W, r6, r0, 8), mov(r0, 0), exit_(),
    ]

    @pytest.mark.bpf(may_differ=NAMES)
    def test_clocked(bpf, bpf_backend):
        seen = bpf.map("ARRAY", key="u32", value=outer, max_entries=1, name="seen.by")
        bpf.program(KEEP_THE_TIME, type="sched_cls", name="clock").run(bytes(64), SkBuff())
        seen[0] = seen[0].replace(count=COUNT)
"""


def clocked(suite: pytest.Pytester, names: list[str], *, count: str = "7") -> pytest.RunResult:
    """Run a test that writes the time into `mark` and into a field of a map, and a count into another."""
    suite.makepyfile(CLOCKED.replace("NAMES", repr(names)).replace("COUNT", count))
    return suite.runpytest_inprocess("--bpf=both")


@pytest.mark.parametrize("where", ["maps.seen.by", "maps.seen.by.at", "maps.seen.by.at.time"])
@pytest.mark.parametrize("what", ["ctx", "ctx.mark"])
def test_the_marker_excuses_maps_and_fields(both: pytest.Pytester, what: str, where: str) -> None:
    clocked(both, [what, where]).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "ctx_output is"),
        (["retval", "data", "ctx.priority", "maps.seen.by"], "ctx_output is"),
        (["ctx"], "map 'seen.by' at key 00000000"),
        (["ctx", "maps.seen.by.count"], "map 'seen.by' at key 00000000"),
    ],
)
def test_what_is_not_excused_is_compared(both: pytest.Pytester, names: list[str], told: str) -> None:
    result = clocked(both, names)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([f"*The backends differ, in *{told}*"])


def test_the_other_fields_of_an_excused_one_are_compared(both: pytest.Pytester) -> None:
    result = clocked(both, ["ctx", "maps.seen.by.at"], count="1 if bpf_backend == 'sim' else 2")
    result.assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(("excused", "outcomes"), [("['retval', 'data']", (2, 0)), ("['retval']", (1, 1))])
def test_a_verdict_and_a_packet_can_be_excused(both: pytest.Pytester, excused: str, outcomes: tuple[int, int]) -> None:
    both.makepyfile(f"""
        import pytest
        from bpflab import ProgType
        from bpflab.asm import DW, call, exit_, label, mov, r0, r1, r2, r6, stx
        from bpflab.asm.packet import check_bounds, load_packet

        CLOCK = [
            mov(r6, r1), call("ktime_get_ns"), load_packet(ProgType.XDP, ctx=r6), check_bounds(8, "out"),
            stx(DW, r2, r0, 0), label("out"), exit_(),
        ]

        @pytest.mark.bpf(may_differ={excused})
        def test_clock(bpf):
            bpf.program(CLOCK, type="xdp", name="clock").run(bytes(64))
    """)
    both.runpytest_inprocess("--bpf=both").assert_outcomes(passed=outcomes[0], failed=outcomes[1])


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["maps.sen"], "may_differ names 'maps.sen', and the test has no such map; it has seen.by."),
        (["maps.seen.by.tme"], "may_differ names 'maps.seen.by.tme': outer has no field 'tme'; there is count, at."),
        (["maps.seen.by.count.low"], "may_differ names 'maps.seen.by.count.low': u64 has no field 'low'*"),
        (["ctx.mrk"], "may_differ names 'ctx.mrk', which no context has; did you mean mark*"),
        (["duration"], "may_differ names 'duration'; expected retval, data, ctx, ctx.FIELD, maps.NAME or *"),
        ("retval", "may_differ='retval'; expected a list of names: retval, data, *"),
    ],
)
def test_an_excuse_for_what_is_not_there_is_an_error_in_words(
    both: pytest.Pytester, names: list[str], told: str
) -> None:
    clocked(both, names).stdout.fnmatch_lines([f"*The marker bpf: {told}"])


def test_the_mark_of_a_module_may_excuse_maps_that_not_every_test_has(both: pytest.Pytester) -> None:
    both.makepyfile("""
        import pytest
        from programs import SAME

        pytestmark = pytest.mark.bpf(may_differ=["maps.seen"])

        def test_without(bpf):
            bpf.program(SAME, type="xdp").run(bytes(64))
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


def test_a_field_is_excused_in_the_value_of_each_cpu() -> None:
    when = RecordField("when", 32, 16, make_codec("u16"))
    codec = RecordCodec("seen", 6, [RecordField("count", 0, 32, make_codec("u32")), when], sys.byteorder)
    with Lab("sim") as lab:
        counts = lab.map("PERCPU_ARRAY", key="u32", value=codec, max_entries=1, name="seen")
        held, others = [], lab.backend.possible_cpus - 2
        for first, second in ((5, 6), (8, 9)):
            counts[0] = [{"count": 3, "when": first}, {"count": 4, "when": second}, *[{}] * others]
            held.append(contents_of(lab.maps, Excuses(maps=("seen.when",))))
        assert held[0] == held[1] != contents_of(lab.maps)
        counts[0] = [{"count": 3}, {"count": 5}, *[{}] * others]
        assert contents_of(lab.maps, Excuses(maps=("seen.when",))) != held[0]
