"""Programs whose context is a structure of plain fields run on what a test puts into them."""

from __future__ import annotations

import sys

import pytest

from bpflab import Lab
from bpflab.contexts import CgroupDevice, SockAddr
from bpflab.errors import CannotRunError, InputError
from bpflab.programs.verifier import VerifierError

FIRST_MAJOR = "r2 = *(u32 *)(r1 + 4)\nr0 = 0\nif r2 != 1 goto +1\nr0 = 1\nexit"


@pytest.mark.parametrize(("major", "answer"), [(1, 1), (2, 0)])
def test_a_device_program_sees_the_fields_that_were_given(major: int, answer: int) -> None:
    with Lab("sim") as lab:
        program = lab.program(FIRST_MAJOR, type="cgroup_device")
        assert program.run(ctx=CgroupDevice(access_type=2, major=major)).retval == answer


def test_fields_that_no_program_of_the_type_may_write_are_refused() -> None:
    with Lab("sim") as lab, pytest.raises(VerifierError, match="invalid bpf_context access off=4 size=4"):
        lab.program("r2 = 0\n*(u32 *)(r1 + 4) = r2\nr0 = 1\nexit", type="cgroup_device")


def test_a_context_that_is_missing_is_named() -> None:
    with Lab("sim") as lab, pytest.raises(InputError, match="CgroupDevice"):
        lab.program(FIRST_MAJOR, type="cgroup_device").run()


@pytest.mark.bpf(backend="kernel")
def test_the_running_kernel_says_that_the_simulated_one_can(bpf: Lab) -> None:
    program = bpf.program(FIRST_MAJOR, type="cgroup_device")
    with pytest.raises(CannotRunError, match="The simulated kernel can"):
        program.run(ctx=CgroupDevice(major=1))


def test_an_address_may_be_given_as_text() -> None:
    context = SockAddr(user_ip4="10.0.0.1", user_ip6="2001:db8::1")
    assert context.user_ip4 == int.from_bytes(bytes([10, 0, 0, 1]), sys.byteorder)
    assert context.to_bytes()[8:24].hex() == "20010db8000000000000000000000001"
    with pytest.raises(InputError, match="IP address"):
        SockAddr(user_ip4="ten")
