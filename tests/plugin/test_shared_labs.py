"""`bpf_module` and `bpf_session`: loaded once, and found by each test as the wider fixtures left it."""

from __future__ import annotations

import pytest

COUNTER = """
    import pytest
    from programs import COUNT

    @pytest.fixture(scope="module")
    def counter(bpf_module):
        counts = bpf_module.map("array", value="u64", max_entries=2, name="counts")
        bpf_module.map("hash", key="u32", value="u32", max_entries=4, name="flows")
        counts[1] = 5
        return bpf_module.program(COUNT, name="counter")

    @pytest.fixture
    def filled(counter, bpf_module):
        bpf_module.maps["flows"][1] = 1
        yield
        bpf_module.maps["flows"][2] = 2
"""

COUNT = '''
COUNT = """
    r1 = 0
    *(u32 *)(r10 - 4) = r1
    r2 = r10
    r2 += -4
    r1 = map[name:counts]
    call map_lookup_elem
    if r0 == 0 goto out
    r1 = 1
    lock *(u64 *)(r0 + 0) += r1
    out: r0 = 2
    exit
"""
'''


@pytest.fixture
def counting(suite: pytest.Pytester) -> pytest.Pytester:
    """A suite with `COUNT`, a program that counts its runs in the map `counts`."""
    suite.makepyfile(programs=COUNT)
    return suite


@pytest.mark.parametrize("order", ["1 2 3", "3 2 1", "2 1 3"])
def test_each_test_finds_the_maps_as_the_module_left_them(
    counting: pytest.Pytester, bpf_backend: str, order: str
) -> None:
    tests = {
        "1": """
    def test_1(counter, bpf_module):
        assert [counter.run(bytes(14)).retval for _ in range(3)] == [2, 2, 2]
        assert bpf_module.maps["counts"][0] == 3
""",
        "2": """
    def test_2(counter, filled, bpf_module):
        assert dict(bpf_module.maps["flows"].items()) == {1: 1}
        counter.run(bytes(14))
        assert list(bpf_module.maps["counts"].values()) == [1, 5]
""",
        "3": """
    def test_3(counter, bpf_module):
        assert dict(bpf_module.maps["flows"].items()) == {}
        assert list(bpf_module.maps["counts"].values()) == [0, 5]
        bpf_module.maps["flows"][3] = 3
""",
    }
    counting.makepyfile(COUNTER + "".join(tests[number] for number in order.split()))
    counting.runpytest_inprocess(f"--bpf={bpf_backend}").assert_outcomes(passed=3)


def test_what_a_test_opens_in_a_shared_lab_is_closed_after_it(suite: pytest.Pytester) -> None:
    suite.makepyfile("""
        kept = []

        def test_opens(bpf_module):
            kept.append(bpf_module.map("array", value="u32", max_entries=1, name="mine"))

        def test_finds_it_closed(bpf_module):
            assert kept[0].closed
            assert "mine" not in bpf_module.maps
    """)
    suite.runpytest_inprocess("--bpf=sim").assert_outcomes(passed=2)


def test_what_a_wider_fixture_changes_between_tests_stays(counting: pytest.Pytester) -> None:
    counting.makepyfile(
        COUNTER
        + """
    def test_first(counter, bpf_module):
        bpf_module.maps["flows"][9] = 9

    class TestOfAClass:
        @pytest.fixture(scope="class", autouse=True)
        def prepared(self, bpf_module):
            bpf_module.maps["flows"][7] = 7
            yield
            del bpf_module.maps["flows"][7]

        @pytest.mark.parametrize("number", [1, 2])
        def test_inside(self, bpf_module, number):
            assert dict(bpf_module.maps["flows"].items()) == {7: 7}
            bpf_module.maps["flows"].clear()

    def test_last(bpf_module):
        assert dict(bpf_module.maps["flows"].items()) == {}
    """
    )
    counting.runpytest_inprocess("--bpf=sim").assert_outcomes(passed=4)


def test_a_module_opens_its_own_lab_and_the_session_shares_one(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        seen="modules, sessions = [], []",
        test_a="import seen\ndef test(bpf_module, bpf_session): "
        "seen.modules.append(bpf_module); seen.sessions.append(bpf_session)",
        test_b="import seen\ndef test(bpf_module, bpf_session): "
        "assert seen.modules[0] is not bpf_module and seen.modules[0].closed and seen.sessions == [bpf_session]",
    )
    suite.runpytest_inprocess("--bpf=sim").assert_outcomes(passed=2)


def test_a_failing_test_leaves_the_maps_as_they_were(counting: pytest.Pytester) -> None:
    counting.makepyfile(
        COUNTER
        + """
    def test_fails(counter, bpf_module):
        counter.run(bytes(14))
        raise RuntimeError

    def test_after(counter, bpf_module):
        assert bpf_module.maps["counts"][0] == 0
    """
    )
    counting.runpytest_inprocess("--bpf=sim").assert_outcomes(passed=1, failed=1)


def test_a_relative_path_is_found_beside_the_module(suite: pytest.Pytester) -> None:
    suite.path.joinpath("x.c").write_text("not C", encoding="utf-8")
    suite.makepyfile("""
        import pytest
        from bpflab.errors import CompileError, NotSupportedError

        def test_path(bpf_module, bpf_session):
            assert bpf_module.found("x.c").exists() and bpf_session.found("x.c").exists()
    """)
    suite.runpytest_inprocess("--bpf=sim").assert_outcomes(passed=1)


def test_runs_in_a_shared_lab_are_heard_with_the_test_that_made_them(counting: pytest.Pytester) -> None:
    counting.makeconftest("""
        heard = []

        def pytest_bpf_run(item, run):
            heard.append((item.name, run.program))

        def pytest_unconfigure():
            print("heard", heard)
    """)
    counting.makepyfile(
        COUNTER
        + """
    def test_one(counter): counter.run(bytes(14))
    def test_two(counter): counter.run(bytes(14))
    """
    )
    result = counting.runpytest_inprocess("--bpf=sim", "-s")
    result.stdout.fnmatch_lines(["heard*('test_one', 'counter'), ('test_two', 'counter')*"])


@pytest.mark.bpf(backend="kernel")
def test_both_backends_share_and_compare(counting: pytest.Pytester) -> None:
    counting.makepyfile(
        COUNTER
        + """
    def test_same(counter): counter.run(bytes(14))
    def test_other(counter, bpf_module, bpf_backend):
        if bpf_backend == "kernel":
            bpf_module.maps["counts"][1] = 6
    """
    )
    result = counting.runpytest_inprocess("--bpf=both")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*The backends differ, in map 'counts' at key 01000000*"])


def test_many_workers_neither_meet_each_others_pins_nor_names(counting: pytest.Pytester, bpf_backend: str) -> None:
    counting.makepyfile(
        COUNTER
        + """
    @pytest.fixture(scope="session")
    def pinned(bpf_session):
        shared = bpf_session.map("array", value="u64", max_entries=1, name="shared")
        shared.pin("shared")
        return shared

    @pytest.mark.parametrize("number", range(24))
    def test_alone(counter, pinned, bpf_module, bpf_session, bpf, number):
        bpf.map("array", value="u64", max_entries=1, name="shared").pin("shared")
        assert pinned.pinned and pinned[0] == 0
        pinned[0] = number + 1
        counter.run(bytes(14))
        assert bpf_module.maps["counts"][0] == 1
        assert bpf_session.open_map(path="shared")[0] == number + 1
    """
    )
    result = counting.runpytest_subprocess(f"--bpf={bpf_backend}", "-n", "3")
    result.assert_outcomes(passed=24)
