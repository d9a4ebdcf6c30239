"""The options that show what the verifier did, and fail a session in which it has more to do than before."""

from __future__ import annotations

import json

import pytest

SHORT = "r0 = 1\\nr0 = 2\\nexit"
LONG = "r0 = *(u32 *)(r1 + 16)\\nif r0 > 3 goto +1\\nr0 = 1\\nr0 = 2\\nexit"


def write_test(pytester: pytest.Pytester, code: str, copies: int = 1) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("number", range({copies}))
        def test_runs(bpf, number):
            assert bpf.program("{code}", name="verdict").run(bytes(64)).retval == 2
        """
    )


def test_the_table_names_each_program(pytester: pytest.Pytester, bpf_backend: str) -> None:
    write_test(pytester, SHORT)
    result = pytester.runpytest(f"--bpf={bpf_backend}", "--bpf-verifier-report")
    result.stdout.fnmatch_lines(
        [
            "*= what the verifier did =*",
            "program * insns * states * peak * stack * usec",
            "verdict XDP * 3 *",
        ]
    )


def test_a_baseline_is_written_and_kept_to(pytester: pytest.Pytester, bpf_backend: str) -> None:
    write_test(pytester, SHORT)
    assert pytester.runpytest(f"--bpf={bpf_backend}", "--bpf-verifier-json=base.json").ret == 0
    programs = json.loads((pytester.path / "base.json").read_text("utf-8"))["programs"]
    assert programs["verdict XDP"]["insns"] == 3
    assert pytester.runpytest(f"--bpf={bpf_backend}", "--bpf-verifier-baseline=base.json").ret == 0
    write_test(pytester, LONG)
    result = pytester.runpytest(f"--bpf={bpf_backend}", "--bpf-verifier-baseline=base.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAIL: verdict XDP: insns grew from 3 to ? (+* %); the limit is 5 %."])
    assert (
        pytester.runpytest(f"--bpf={bpf_backend}", "--bpf-verifier-baseline=base.json", "--bpf-verifier-limit=500").ret
        == 0
    )


def test_workers_send_what_they_heard(pytester: pytest.Pytester, bpf_backend: str) -> None:
    write_test(pytester, SHORT, copies=4)
    result = pytester.runpytest_subprocess(f"--bpf={bpf_backend}", "-n", "2", "--bpf-verifier-report")
    result.stdout.fnmatch_lines(["verdict XDP * 3 *"])


def test_a_baseline_that_cannot_be_read_fails_the_session_in_words(pytester: pytest.Pytester, bpf_backend: str) -> None:
    write_test(pytester, SHORT)
    result = pytester.runpytest(f"--bpf={bpf_backend}", "--bpf-verifier-baseline=none.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: The baseline *none.json cannot be read*Write one with --bpf-verifier-json=*"])
