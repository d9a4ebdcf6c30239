"""Programs are held to what their source expects of them, with no source at hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bpflab import Lab
from bpflab.errors import ObjectError
from bpflab.obj.annotations import Annotations, PacketExpectation, read_annotations
from bpflab.obj.spec import ObjectSpec
from bpflab.objects.annotated import disappointments
from bpflab.objects.source import spec_of

SOURCE = Path(__file__).with_name("annotated.bpf.c")


@pytest.fixture
def spec(bpf: Lab) -> ObjectSpec:
    return spec_of(SOURCE, bpf.backend.byteorder)


@pytest.fixture
def expected(spec: ObjectSpec) -> dict[str, Annotations]:
    return {each.program: each for each in read_annotations(spec)}


def test_programs_without_expectations_are_left_out(expected: dict[str, Annotations]) -> None:
    assert set(expected) == {"only_ipv4", "length", "unchecked", "seven", "wrong_verdict", "wrong_hope"}


def test_messages_stand_in_the_order_of_the_source(expected: dict[str, Annotations]) -> None:
    assert expected["seven"].messages == ("0: R1=ctx", "{{R0.*=7}}")
    assert (expected["seven"].retval, expected["only_ipv4"].description) == (7, "IPv4 passes, ARP does not")


@pytest.mark.bpf(backend="kernel")
def test_the_log_of_an_accepted_program_is_looked_at_where_there_is_one(
    bpf: Lab, spec: ObjectSpec, expected: dict[str, Annotations]
) -> None:
    changed = replace(expected["seven"], messages=("R0", "0: R1=ctx"))
    assert "does not have '0: R1=ctx'" in str(disappointments(bpf, spec, changed)[0])


@pytest.mark.parametrize("program", ["only_ipv4", "length", "unchecked", "seven"])
def test_a_program_that_does_as_it_says_disappoints_nobody(
    bpf: Lab, spec: ObjectSpec, expected: dict[str, Annotations], program: str
) -> None:
    assert not [str(each) for each in disappointments(bpf, spec, expected[program])]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (("wrong_verdict", {}), "says PASS to the packet 'ipv4_frame'; its source expects DROP"),
        (("wrong_hope", {}), "was loaded; its source expects a refusal"),
        (("unchecked", {"loads": True}), "was refused; its source expects that it is loaded"),
        (("unchecked", {"messages": ("no such words",)}), "does not have 'no such words'"),
        (("unchecked", {"messages": ("invalid access", "0: R1=ctx")}), "does not have '0: R1=ctx' where it is"),
        (("unchecked", {"absent": ("invalid access",)}), "has 'invalid access', which is not expected"),
        (("length", {"retval": 63}), "returned 64; its source expects 63"),
    ],
)
def test_what_was_expected_and_did_not_come_is_said(
    bpf: Lab, spec: ObjectSpec, expected: dict[str, Annotations], case: tuple[str, dict[str, object]], said: str
) -> None:
    program, change = case
    changed = replace(expected[program], **change)  # type: ignore[arg-type]  # fields of the table above
    assert said in "\n".join(map(str, disappointments(bpf, spec, changed)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"packets": (PacketExpectation("none", "XDP_PASS"),)}, "no constant 'none'"),
        (
            {"packets": (PacketExpectation("ipv4_frame", "XDP_PERHAPS"),)},
            "'XDP_PERHAPS' is no verdict",
        ),
        ({"flags": ("BPF_F_NONSENSE",)}, "'BPF_F_NONSENSE' is no flag"),
    ],
)
def test_an_expectation_that_cannot_be_read_is_refused(
    bpf: Lab, spec: ObjectSpec, expected: dict[str, Annotations], change: dict[str, object], said: str
) -> None:
    with pytest.raises(ObjectError, match=said):
        disappointments(bpf, spec, replace(expected["only_ipv4"], **change))  # type: ignore[arg-type]  # as above
