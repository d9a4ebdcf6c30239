"""What a user can get wrong with a Lab, its programs and its objects: each a BpfError with a sentence that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bpflab import XDP, BpfError, Lab
from bpflab.asm.insn import Insn, encode
from bpflab.cli.demo import example_directory
from bpflab.errors import ArgumentError, ClosedError, InputError, NoSuchNameError, ObjectError
from bpflab.obj.prebuilt import object_of
from pytest_bpflab.leaks import open_in_kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bpflab.objects.loaded import LoadedObject

PASS = encode([Insn(0xB7, imm=2), Insn(0x95)])
OBJECT = object_of(example_directory() / "firewall.bpf.c")


@pytest.fixture
def closed(bpf_backend: str) -> Lab:
    lab = Lab(bpf_backend)
    lab.close()
    return lab


@pytest.fixture
def firewall(bpf: Lab) -> LoadedObject:
    return bpf.load(OBJECT)


@pytest.mark.parametrize(
    "use",
    [
        lambda lab: lab.map("hash", key="u32", value="u32", max_entries=1),
        lambda lab: lab.program(PASS),
        lambda lab: lab.load(OBJECT),
        lambda lab: lab.__enter__(),
    ],
    ids=["map", "program", "load", "with"],
)
def test_a_closed_lab_says_that_it_is_closed(closed: Lab, use: Callable[[Lab], object]) -> None:
    with pytest.raises(ClosedError, match="This Lab is closed"):
        use(closed)


def test_closing_twice_is_fine(closed: Lab) -> None:
    closed.close()
    assert closed.closed


def test_what_a_closed_lab_owned_says_that_it_is_closed(bpf_backend: str) -> None:
    with Lab(bpf_backend) as lab:
        program = lab.program(PASS, name="passing")
        numbers = lab.map("hash", key="u32", value="u32", max_entries=1, name="numbers")
    with pytest.raises(ClosedError, match="passing"):
        program.run(bytes(64))
    with pytest.raises(ClosedError, match="numbers"):
        numbers[1] = 1


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (lambda lab: lab.program(42), "code is a int; expected instruction bytes"),
        (lambda lab: lab.program(b""), "0 bytes; expected a positive multiple of 8"),
        (lambda lab: lab.program(PASS[:-1]), "15 bytes; expected a positive multiple of 8"),
        (lambda lab: lab.program(PASS, type="xpd"), "did you mean XDP?"),
        (lambda lab: lab.program(PASS, license=None), "license is None"),
        (lambda lab: lab.map("hsh", key="u32", value="u32", max_entries=1), "did you mean HASH"),
        (lambda lab: lab.map("hash", key="u33", value="u32", max_entries=1), "u33"),
        (lambda lab: lab.load(42), "load() was given a int"),
        (lambda lab: lab.load(None), "load() was given a NoneType"),
    ],
)
def test_a_wrong_argument_is_refused_before_the_kernel_sees_it(
    bpf: Lab, use: Callable[[Any], object], told: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        use(bpf)
    assert told in str(caught.value)


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ArgumentError, match="'kernle' is no backend; expected one of kernel, sim, auto"):
        Lab("kernle")


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (lambda loaded: loaded.maps.blocked_prts, "has no map 'blocked_prts'; did you mean blocked_ports?"),
        (lambda loaded: loaded.maps["statistic"], "has no map 'statistic'; did you mean statistics?"),
        (lambda loaded: loaded.programs.firewal, "has no program 'firewal'; did you mean firewall?"),
        (lambda loaded: loaded.programs["zzz"], "has no program 'zzz'; there is firewall."),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_the_near_ones(
    firewall: LoadedObject, use: Callable[[LoadedObject], object], told: str
) -> None:
    with pytest.raises(NoSuchNameError) as caught:
        use(firewall)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"programs": ["firewal"]}, "did you mean firewall?"),
        ({"rodata": {"answer_pings": 1}}, "did you mean answer_ping?"),
        ({"rodata": {"answer_ping": 256}}, "256"),
    ],
)
def test_an_option_of_loading_that_does_not_fit_is_refused(bpf: Lab, given: dict[str, Any], told: str) -> None:
    with pytest.raises(BpfError) as caught:
        bpf.load(OBJECT, **given)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("packet", "told"),
    [
        (b"", "has 0 bytes"),
        (bytes(13), "has 13 bytes"),
        (None, "The packet is a NoneType"),
        (64, "The packet is a int"),
        ("00" * 64, "The packet is a str"),
    ],
)
def test_a_packet_that_cannot_be_given_is_refused_in_words(bpf: Lab, packet: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        bpf.program(PASS, type="xdp").run(packet)


def test_after_a_refusal_the_program_still_runs(bpf: Lab) -> None:
    program = bpf.program(PASS, type="xdp")
    with pytest.raises(InputError):
        program.run(b"")
    assert program.run(bytes(64)).action is XDP.PASS


@pytest.fixture
def counted() -> Iterator[None]:
    """Check that the test opened nothing in the kernel that is still open."""
    before = open_in_kernel()
    yield
    assert open_in_kernel() == before


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize(
    "use",
    [
        lambda lab: lab.load(OBJECT, programs=["firewal"]),
        lambda lab: lab.load(OBJECT).programs.firewall.run(b""),
        lambda lab: lab.program(bytes(8)),
        lambda lab: lab.map("array", key="u64", value="u32", max_entries=1),
    ],
    ids=["load", "run", "verifier", "map"],
)
def test_a_failure_leaks_no_descriptor(bpf_backend: str, use: Callable[[Lab], object]) -> None:
    with pytest.raises(BpfError), Lab(bpf_backend) as lab:
        use(lab)


@pytest.mark.usefixtures("counted")
def test_an_object_that_is_refused_half_way_leaks_nothing(bpf_backend: str, tmp_path: Path) -> None:
    (tmp_path / "cut.bpf.o").write_bytes(OBJECT.read_bytes()[:2000])
    with pytest.raises(ObjectError), Lab(bpf_backend) as lab:
        lab.load(tmp_path / "cut.bpf.o")
