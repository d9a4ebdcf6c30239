"""`Lab.rejects`: a test that expects the verifier's refusal, and says which one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bpflab import Lab, VerifierError
from bpflab.errors import ArgumentError, AssemblyError, BpfError
from bpflab.programs.rejection import NotRejectedError

SCALAR = "r1 = 4\nr0 = *(u64 *)(r1 + 400)\nexit"
"""R1 invalid mem access 'scalar', at instruction 1."""
UNSET = "r0 = r5\nexit"
LOOP = "l: r0 = 4\ngoto l"
FINE = "r0 = 2\nexit"

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int unchecked(struct xdp_md *ctx)
{
    unsigned char *packet = (void *)(long)ctx->data;
    return packet[3];
}
"""


def test_a_refusal_is_matched_by_its_words_and_its_instruction(bpf: Lab) -> None:
    with bpf.rejects("invalid mem access", insn=1, program="reader", errno="EACCES") as rejected:
        bpf.program(SCALAR, name="reader")
    assert rejected.error.insn == 1
    assert rejected.error.reason == "R1 invalid mem access 'scalar'"


def test_a_pattern_is_searched_for(bpf: Lab) -> None:
    with bpf.rejects(re.compile(r"R5 !read_ok|R5 is not initialised")):
        bpf.program(UNSET)


def test_without_a_word_any_refusal_will_do(bpf: Lab) -> None:
    with bpf.rejects():
        bpf.program(LOOP)


def test_an_instruction_that_the_words_name_counts_before_the_last_one_of_the_walk(bpf: Lab) -> None:
    with bpf.rejects("infinite loop detected", insn=0):
        bpf.program(LOOP)


def test_a_program_that_loads_fails_the_test_in_words(bpf: Lab) -> None:
    expected = r"took every program .* expected to refuse one saying 'bad' at instruction 3\."
    with pytest.raises(NotRejectedError, match=expected), bpf.rejects("bad", insn=3):
        bpf.program(FINE)


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"message": "unreachable insn"}, "words that hold 'unreachable insn'"),
        ({"message": re.compile("^never$")}, "words that hold /\\^never\\$/"),
        ({"insn": 0}, "instruction 0, not 1"),
        ({"program": "other"}, "program 'other', not 'reader'"),
        ({"errno": "E2BIG"}, "errno E2BIG, not EACCES"),
        ({"source": 12}, "source 12, not an unknown line"),
    ],
)
def test_another_refusal_fails_the_test_and_shows_the_end_of_the_log(
    bpf: Lab, expected: dict[str, object], words: str
) -> None:
    with pytest.raises(NotRejectedError, match=words) as failed, bpf.rejects(**expected):  # type: ignore[arg-type]  # cases of each argument
        bpf.program(SCALAR, name="reader")
    assert "R1 invalid mem access 'scalar'" in str(failed.value)
    assert isinstance(failed.value.error, VerifierError)


def test_a_failed_expectation_is_an_assertion_and_an_error_of_the_library(bpf: Lab) -> None:
    with pytest.raises(AssertionError) as failed, bpf.rejects():
        bpf.program(FINE)
    assert isinstance(failed.value, BpfError)


def test_other_errors_pass_through(bpf: Lab) -> None:
    with pytest.raises(AssemblyError), bpf.rejects("anything"):
        bpf.program("this is no program")


@pytest.mark.parametrize(
    "mistake", [{"message": 3}, {"insn": -1}, {"errno": "ENOSUCH"}, {"program": 1}, {"source": 1.5}]
)
def test_a_mistaken_expectation_is_refused_at_the_door(bpf: Lab, mistake: dict[str, object]) -> None:
    with pytest.raises(ArgumentError):
        bpf.rejects(**mistake)  # type: ignore[arg-type]  # that is the mistake


def test_the_error_is_asked_for_after_the_block(bpf: Lab) -> None:
    rejected = bpf.rejects()
    with pytest.raises(NotRejectedError, match="after the `with` block"):
        rejected.error  # noqa: B018 - asking is what fails


@pytest.mark.parametrize("source", ["unchecked.bpf.c:9", 9, "return packet[3]"])
def test_a_refusal_is_matched_by_the_line_of_the_c_source(bpf: Lab, tmp_path: Path, source: str | int) -> None:
    path = tmp_path / "unchecked.bpf.c"
    path.write_text(SOURCE, encoding="utf-8")
    with bpf.rejects("invalid access to packet", source=source) as rejected:
        bpf.load(path)
    line = rejected.error.line
    assert line is not None
    assert Path(line.file) == path
