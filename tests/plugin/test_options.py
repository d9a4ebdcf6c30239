from __future__ import annotations

import pytest

REFUSAL = "bpf(2) is not permitted: it needs CAP_BPF."


@pytest.fixture
def without_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process find that it cannot use bpf(2)."""
    monkeypatch.setattr("bpflab.backend.select.kernel_refusal", lambda: REFUSAL)


@pytest.fixture
def one_test(suite: pytest.Pytester) -> pytest.Pytester:
    suite.makepyfile("""
        def test_backend(bpf):
            print("on", bpf.backend.name)
    """)
    return suite


@pytest.mark.bpf(backend="kernel")
def test_auto_takes_the_kernel_where_it_can_be_used(one_test: pytest.Pytester) -> None:
    result = one_test.runpytest_inprocess("-s")
    result.stdout.fnmatch_lines(["bpf: the kernel (Linux *) answers", "*on kernel*"])


@pytest.mark.usefixtures("without_kernel")
def test_auto_takes_the_simulator_elsewhere_and_says_why(one_test: pytest.Pytester) -> None:
    result = one_test.runpytest_inprocess("-s")
    result.stdout.fnmatch_lines(
        ["bpf: the simulated kernel (Linux *) answers", f"bpf: the running kernel does not. {REFUSAL}", "*on sim*"]
    )


def test_the_ini_file_can_choose(one_test: pytest.Pytester) -> None:
    one_test.makeini("[pytest]\nbpf_backend = sim")
    one_test.runpytest_inprocess("-s").stdout.fnmatch_lines(["*on sim*"])


@pytest.mark.bpf(backend="kernel")
def test_the_option_wins_over_the_ini_file(one_test: pytest.Pytester) -> None:
    one_test.makeini("[pytest]\nbpf_backend = sim")
    one_test.runpytest_inprocess("-s", "--bpf=kernel").stdout.fnmatch_lines(["*on kernel*"])


@pytest.mark.bpf(backend="kernel")
def test_both_runs_each_test_on_both(one_test: pytest.Pytester) -> None:
    result = one_test.runpytest_inprocess("-v", "--bpf=both")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_backend?kernel? PASSED*", "*test_backend?sim? PASSED*"])
    result.stdout.fnmatch_lines(["bpf: 1 test ran on the kernel *", "bpf: 1 test ran on the simulated kernel *"])


def test_both_leaves_tests_of_no_backend_alone(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_plain(): pass")
    suite.runpytest_inprocess("--bpf=both").assert_outcomes(passed=1)


def test_an_unknown_backend_in_the_ini_file_is_refused_with_the_known_ones(one_test: pytest.Pytester) -> None:
    one_test.makeini("[pytest]\nbpf_backend = kernal")
    result = one_test.runpytest_inprocess()
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*bpf_backend = 'kernal'*auto, kernel, sim, both*"])


@pytest.mark.usefixtures("without_kernel")
def test_tests_fail_on_a_kernel_that_cannot_be_used(one_test: pytest.Pytester) -> None:
    result = one_test.runpytest_inprocess("--bpf=kernel")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"bpf: the kernel cannot be used. {REFUSAL}", f"--bpf=kernel: {REFUSAL}"])


@pytest.mark.usefixtures("without_kernel")
def test_a_required_kernel_that_cannot_be_used_ends_the_session(one_test: pytest.Pytester) -> None:
    result = one_test.runpytest_inprocess("--bpf-require-kernel")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*The kernel backend is required and cannot be used here. {REFUSAL}"])


@pytest.mark.usefixtures("without_kernel")
def test_the_environment_can_require_the_kernel(one_test: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPFLAB_REQUIRE_KERNEL", "1")
    assert one_test.runpytest_inprocess().ret is pytest.ExitCode.USAGE_ERROR


def test_a_required_kernel_contradicts_the_simulator_alone(one_test: pytest.Pytester) -> None:
    result = one_test.runpytest_inprocess("--bpf-require-kernel", "--bpf=sim")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--bpf=sim leaves it out*"])


@pytest.mark.bpf(backend="kernel")
def test_a_required_kernel_changes_nothing_where_it_can_be_used(one_test: pytest.Pytester) -> None:
    one_test.runpytest_inprocess("--bpf-require-kernel").assert_outcomes(passed=1)


def test_a_missing_compiler_is_told(one_test: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPF_CLANG", "no-such-compiler")
    one_test.runpytest_inprocess("--bpf=kernel").stdout.fnmatch_lines(
        ["bpf: C sources cannot be compiled: *no-such-compiler*"]
    )
