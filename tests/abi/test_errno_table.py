"""The table of error numbers."""

from __future__ import annotations

import errno
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpflab.abi.errno import Errno, errno_meaning, errno_name

NUMBERS = st.integers(min_value=-4096, max_value=4096)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, whose numbers these are")
def test_the_numbers_are_those_of_linux() -> None:
    # EDEADLOCK is EDEADLK, but for powerpc, whose own number (58, asm/errno.h) no call of BPF answers.
    host = {name: number for number, name in errno.errorcode.items() if name != "EDEADLOCK"}
    assert {name: Errno.__members__[name] for name in host} == host


@given(NUMBERS)
def test_the_sign_of_an_error_number_does_not_matter(number: int) -> None:
    assert (errno_name(number), errno_meaning(number)) == (errno_name(-number), errno_meaning(-number))


@given(NUMBERS.filter(lambda number: abs(number) not in list(Errno)))
def test_a_number_that_linux_does_not_use_is_named_by_itself(number: int) -> None:
    assert (errno_name(number), errno_meaning(number)) == (f"errno {abs(number)}", "")


@pytest.mark.parametrize("member", Errno)
def test_every_error_number_has_a_name_and_a_meaning(member: Errno) -> None:
    assert errno_name(member) == member.name
    assert errno_meaning(member)


def test_numbers_from_inside_the_kernel_are_known() -> None:
    assert (errno_name(512), errno_name(524)) == ("ERESTARTSYS", "ENOTSUPP")
