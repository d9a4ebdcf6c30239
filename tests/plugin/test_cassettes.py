from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

KEY, TWO = struct.pack("=I", 7).hex(), struct.pack("=I", 2).hex()
VALUE = struct.pack("=Q", 5).hex(" ", 4)
TESTS = """
    import pytest
    from hypothesis import HealthCheck, given, settings, strategies as st
    from bpflab.abi.verdicts import XDP
    from programs import PASS

    @pytest.mark.parametrize("number", [1, "a b/c"])
    def test_maps_and_runs(bpf, number):
        table = bpf.map("hash", key="u32", value="u64", max_entries=4)
        table[7] = VALUE
        assert table[7] == VALUE
        assert bpf.program(PASS).run(bytes(60)).action is XDP.PASS

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
    @given(st.binary(min_size=14, max_size=64))
    def test_a_property(bpf, packet):
        assert bpf.program(PASS).run(packet).data == packet

    def test_without_a_lab():
        pass

    @pytest.mark.bpf(backend="mars")
    def test_of_another_backend(bpf):
        pass
"""


@pytest.fixture
def recorded(suite: pytest.Pytester) -> pytest.Pytester:
    """A suite with its cassettes, recorded on the simulator."""
    suite.makepyfile(test_it=TESTS.replace("VALUE", "5"))
    suite.runpytest_inprocess("--bpf=sim", "--bpf-record").assert_outcomes(passed=4, skipped=1)
    return suite


def cassette(suite: pytest.Pytester, name: str = "test_maps_and_runs[[]1[]]") -> Path:
    return next((suite.path / "cassettes" / "test_it").glob(f"{name}*.toml"))


def test_each_test_with_a_lab_has_a_cassette(recorded: pytest.Pytester) -> None:
    names = sorted(re.sub("-[0-9a-f]{8}", "", path.name) for path in (recorded.path / "cassettes").rglob("*.toml"))
    assert names == [
        "test_a_property.toml",
        "test_maps_and_runs[1].toml",
        "test_maps_and_runs[a_b_c].toml",
        "test_of_another_backend.toml",
    ]


def test_cassettes_play_the_same_tests_without_any_backend(recorded: pytest.Pytester) -> None:
    result = recorded.runpytest_inprocess("--bpf=replay")
    result.assert_outcomes(passed=4, skipped=1)
    result.stdout.fnmatch_lines(["bpf: the record of an earlier run answers", "*needs the mars backend*"])


def test_several_workers_write_cassettes_that_one_process_plays(suite: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    suite.makepyfile(test_it=TESTS.replace("VALUE", "5"))
    suite.runpytest_inprocess("--bpf=sim", "--bpf-record", "-n2").assert_outcomes(passed=4, skipped=1)
    suite.runpytest_inprocess("--bpf=replay").assert_outcomes(passed=4, skipped=1)


def test_a_recording_says_how_many_cassettes_were_written_and_why_not_the_others(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        from programs import PASS

        def test_passing(bpf):
            bpf.program(PASS)

        def test_failing(bpf):
            assert bpf.program(PASS) is None

        def test_sharing(bpf_module):
            bpf_module.program(PASS)
        """
    )
    result = suite.runpytest_inprocess("--bpf=sim", "--bpf-record")
    result.stdout.fnmatch_lines(
        [
            "bpf: 1 cassette written below */cassettes",
            "bpf: 1 cassette not written, as the test did not pass",
            "bpf: 1 cassette not written, as the test shares a Lab with others (bpf_module, bpf_session)",
        ]
    )


def test_two_recordings_of_one_test_are_the_same_text(recorded: pytest.Pytester) -> None:
    first = cassette(recorded).read_text()
    recorded.runpytest_inprocess("--bpf=sim", "--bpf-record").assert_outcomes(passed=4, skipped=1)
    assert without_times(cassette(recorded).read_text()) == without_times(first)


def without_times(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("answer.duration"))


def test_a_cassette_reads_like_this(recorded: pytest.Pytester) -> None:
    text = cassette(recorded).read_text()
    assert text.startswith(
        "# What a BPF backend answered to one test. Recorded by bpflab, played back by: pytest --bpf=replay\n"
        "cassette = 1\n"
        'test = "test_it.py::test_maps_and_runs[1]"\n'
        "again = \"pytest 'test_it.py::test_maps_and_runs[1]' --bpf-record\"\n"
        "\n"
        "[machine]\n"
        'backend = "sim"\n'
        'release = "6.18.0"\n'
        "possible_cpus = 4\n"
    )
    assert (
        '[[entry]]\nbpf = "MAP_UPDATE_ELEM"\nsize = 32\nask.map_fd = 1001  # map\n'
        f'in.key = "{KEY}"  # 7\nin.value = "{VALUE}"  # 5\nresult = 0\n'
    ) in text
    assert f'    "b7000000 {TWO}",  # r0 = 2\n    "95000000 00000000",  # exit\n' in text
    assert "answer.retval = 2  # XDP.PASS\n" in text


def test_a_test_that_asks_something_else_is_told_what(recorded: pytest.Pytester) -> None:
    recorded.makepyfile(test_it=TESTS.replace("VALUE", "6"))
    result = recorded.runpytest_inprocess("--bpf=replay", "-k", "maps_and_runs and 1")
    result.assert_outcomes(failed=1, deselected=4)
    result.stdout.fnmatch_lines(
        [
            ">*table?7? = 6",
            (
                "E*ReplayError: Call 2 of test_it.py::test_maps_and_runs?1? diverged. MAP_UPDATE_ELEM: value is *06 *"
                "(6), and *05 *(5) in the cassette. If the test or its program was changed on purpose, *"
            ),
        ]
    )


def test_a_test_that_asks_less_is_told_what_comes_next(recorded: pytest.Pytester) -> None:
    text = cassette(recorded).read_text()
    recorded.makepyfile(test_it=TESTS.replace("VALUE", "5").split("        assert bpf.program(PASS).run(bytes(60))")[0])
    result = recorded.runpytest_inprocess("--bpf=replay", "-k", "maps_and_runs and 1")
    result.stdout.fnmatch_lines(["*The test ended, and the cassette goes on with PROG_LOAD*"])
    assert text == cassette(recorded).read_text()


def test_a_test_that_swallows_the_divergence_fails_all_the_same(suite: pytest.Pytester) -> None:
    body = """
        from bpflab.errors import BpfError
        def test_quiet(bpf):
            try:
                bpf.map("hash", key="u32", value="u64", max_entries={entries})
            except BpfError:
                pass
    """
    suite.makepyfile(test_it=body.format(entries=1))
    suite.runpytest_inprocess("--bpf=sim", "--bpf-record").assert_outcomes(passed=1)
    suite.makepyfile(test_it=body.format(entries=2))
    result = suite.runpytest_inprocess("--bpf=replay")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*MAP_CREATE: max_entries is 2, and 1 in the cassette*"])


def test_a_missing_cassette_names_the_command_that_records_it(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_it="def test_new(bpf): pass")
    result = suite.runpytest_inprocess("--bpf=replay")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["--bpf=replay: test_it.py::test_new has no cassette (*test_new.toml). Record it where the kernel can be *"]
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("cassette = 1", "cassette = 99", "*has version 99, and this bpflab reads version 1; record it again: pytest*"),
        ("size = 32", "size = ", "*the cassette is broken (*; record it again."),
        (f'in.key = "{KEY}"', 'in.key = "07zz"', "*entry 2 is broken ('07zz' is no hexadecimal text.)*"),
        ('byteorder = "', 'byteorder = "mixed-', "*was recorded on a mixed-*-endian machine*"),
    ],
)
def test_a_cassette_that_cannot_be_read_is_a_sentence(recorded: pytest.Pytester, old: str, new: str, told: str) -> None:
    path = cassette(recorded)
    path.write_text(path.read_text().replace(old, new, 1))
    result = recorded.runpytest_inprocess("--bpf=replay", "-k", "maps_and_runs and 1")
    result.assert_outcomes(errors=1, deselected=4)
    result.stdout.fnmatch_lines([told])


def test_a_failing_test_leaves_the_cassette_as_it_was(recorded: pytest.Pytester) -> None:
    before = cassette(recorded).read_text()
    recorded.makepyfile(test_it=TESTS.replace("VALUE", "6").replace("is XDP.PASS", "is XDP.DROP"))
    recorded.runpytest_inprocess("--bpf=sim", "--bpf-record", "-k", "maps_and_runs and 1").assert_outcomes(
        failed=1, deselected=4
    )
    assert cassette(recorded).read_text() == before


def test_cassettes_go_where_they_are_wanted(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_it="def test_new(bpf): bpf.map('array', key='u32', value='u32', max_entries=1)")
    suite.runpytest_inprocess("--bpf=sim", "--bpf-record=tapes").assert_outcomes(passed=1)
    assert (suite.path / "tapes" / "test_it" / "test_new.toml").exists()
    suite.runpytest_inprocess("--bpf=replay", "--bpf-cassettes=tapes").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--bpf=both", "--bpf-record"), "*--bpf-record keeps the answers of one backend*"),
        (("--bpf=replay", "--bpf-record"), "*exclude each other*"),
        (("--bpf-record", "test_it.py"), "*Write --bpf-record=DIR*"),
    ],
)
def test_what_cannot_be_recorded_is_refused(suite: pytest.Pytester, arguments: tuple[str, ...], told: str) -> None:
    result = suite.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([told])


def test_a_directory_that_cannot_be_written_fails_the_recording_in_a_sentence(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_it="def test_new(bpf): pass")
    (suite.path / "cassettes").write_text("a file")
    result = suite.runpytest_inprocess("--bpf=sim", "--bpf-record")
    result.stdout.fnmatch_lines(["--bpf-record: the cassette *test_new.toml could not be written: *"])


def test_labs_of_several_tests_have_no_cassette(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_it="def test_new(bpf_module): pass")
    result = suite.runpytest_inprocess("--bpf=replay")
    result.stdout.fnmatch_lines(["*a cassette holds what one test asked*"])
