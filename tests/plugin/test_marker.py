from __future__ import annotations

import pytest


def marked(suite: pytest.Pytester, arguments: str) -> pytest.Pytester:
    """Write a test with the marker and these arguments."""
    suite.makepyfile(f"""
        import pytest

        @pytest.mark.bpf({arguments})
        def test_marked():
            pass
    """)
    return suite


@pytest.mark.bpf(backend="kernel")
@pytest.mark.parametrize(
    "need",
    [
        "kernel='4.0'",
        "kernel=(5, 10)",
        "program_type='xdp'",
        "program_type=['xdp', 'sched_cls']",
        "map_type='hash'",
        "helper='bpf_map_lookup_elem'",
        "helper='map_lookup_elem', program_type='xdp'",
        "capability='CAP_BPF'",
        "capability='net_admin'",
        "backend='kernel'",
    ],
)
def test_a_test_runs_where_what_it_needs_is_there(suite: pytest.Pytester, need: str) -> None:
    marked(suite, need).runpytest_inprocess("--bpf=kernel").assert_outcomes(passed=1)


@pytest.mark.bpf(backend="kernel")
@pytest.mark.parametrize(
    ("need", "name"),
    [
        ("kernel='99.1'", "needs Linux 99.1; this is the kernel backend (Linux *)"),
        ("helper='map_lookup_elem', program_type='unspec'", "needs program type UNSPEC; *does not have it"),
        ("helper='skb_store_bytes', program_type='xdp'", "needs helper skb_store_bytes; *does not have it"),
        ("backend='sim'", "needs the sim backend, and runs on kernel"),
    ],
)
def test_a_test_is_skipped_by_the_name_of_what_is_missing(suite: pytest.Pytester, need: str, name: str) -> None:
    result = marked(suite, need).runpytest_inprocess("--bpf=kernel", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"bpf: 1 test not run: {name}", f"SKIPPED*{name}"])


def test_strict_makes_such_a_skip_a_failure(suite: pytest.Pytester) -> None:
    result = marked(suite, "kernel='99.1'").runpytest_inprocess("--bpf=kernel", "--bpf-strict")
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["--bpf-strict: needs Linux 99.1*"])


def test_strict_can_stand_in_the_ini_file(suite: pytest.Pytester) -> None:
    suite.makeini("[pytest]\nbpf_strict = true")
    assert marked(suite, "kernel='99.1'").runpytest_inprocess("--bpf=kernel").ret is pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            "colour='red'",
            "*does not take colour=; it takes kernel, program_type, map_type, helper, capability, backend*",
        ),
        ("'xdp'", "*does not take 'xdp'; it takes*"),
        ("map_type='hsh'", "*map_type 'hsh' is no MapType; did you mean HASH*"),
        ("helper='map_lookup_ele'", "*map_lookup_ele*"),
        ("kernel='new'", "*kernel='new'; expected a version such as '6.1'*"),
        ("capability='CAP_FLY'", "*capability 'CAP_FLY' is no Capability*"),
    ],
)
def test_a_mistake_in_the_marker_is_told(suite: pytest.Pytester, arguments: str, told: str) -> None:
    result = marked(suite, arguments).runpytest_inprocess("--bpf=kernel")
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([told])


def test_the_marker_is_registered(pytester: pytest.Pytester) -> None:
    pytester.runpytest_inprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.bpf(kernel=, program_type=*"])


def test_the_options_have_a_group_of_their_own(pytester: pytest.Pytester) -> None:
    pytester.runpytest_inprocess("--help").stdout.fnmatch_lines(
        [
            "bpflab: tests of BPF programs:",
            "*--bpf={auto,kernel,sim,both,replay}*",
            "*--bpf-strict*",
            "*--bpf-require-kernel*",
        ]
    )
