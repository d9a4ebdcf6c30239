"""A command through the seam: retried while it is transient, and explained when it fails."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable

import pytest

from bpflab.abi.commands import Command
from bpflab.backend.call import Caller
from bpflab.errors import NotPermittedError, OutOfMemoryError, RetryPolicy, SyscallError

EINTR, EAGAIN, EPERM, ENOMEM, EBUSY, EINVAL = 4, 11, 1, 12, 16, 22


class Answers:
    """A backend that answers `bpf` from a list: a nonnegative result, or a negative errno."""

    name = "answers"

    def __init__(self, *answers: int) -> None:
        self.left = deque(answers)
        self.sizes: list[int] = []
        self._errno = 0

    def __getattr__(self, name: str) -> Callable[..., int]:
        raise AssertionError(f"{name} is not part of this test")

    def bpf(self, command: int, attr: ctypes.c_void_p, size: int) -> int:
        del command, attr
        self.sizes.append(size)
        answer = self.left.popleft()
        self._errno = max(-answer, 0)
        return answer if answer >= 0 else -1

    def errno(self) -> int:
        return self._errno


def caller(backend: Answers, times: int = 3) -> Caller:
    return Caller(backend, RetryPolicy(times, delay=0))  # type: ignore[arg-type]  # only bpf and errno are called


@pytest.mark.parametrize("errno", [EINTR, EAGAIN, EBUSY])
def test_a_transient_error_is_tried_again(errno: int) -> None:
    backend = Answers(-errno, -errno, -errno, 7)
    assert caller(backend)(Command.MAP_FREEZE, map_fd=3).result == 7


def test_a_transient_error_that_lasts_is_raised_after_the_tries() -> None:
    backend = Answers(*[-EAGAIN] * 5)
    with pytest.raises(SyscallError, match="EAGAIN"):
        caller(backend, times=2)(Command.MAP_FREEZE, map_fd=3)
    assert len(backend.left) == 2


def test_a_lasting_error_is_not_tried_again() -> None:
    backend = Answers(-EINVAL, 0)
    with pytest.raises(SyscallError, match="EINVAL"):
        caller(backend)(Command.MAP_FREEZE, map_fd=3)
    assert len(backend.left) == 1


def test_an_error_carries_command_errno_and_the_arguments_that_matter() -> None:
    with pytest.raises(SyscallError) as caught:
        caller(Answers(-EINVAL))(Command.MAP_CREATE, map_type=1, map_name=b"counts", max_entries=0)
    failure = caught.value.failure
    assert (failure.command, failure.errno, failure.name) == ("MAP_CREATE", EINVAL, "EINVAL")
    assert failure.arguments == {"map_type": 1, "max_entries": 0}


@pytest.mark.parametrize(
    ("errno", "kind", "said"), [(EPERM, NotPermittedError, "CAP_BPF"), (ENOMEM, OutOfMemoryError, "ENOMEM")]
)
def test_an_errno_has_its_own_error_class(errno: int, kind: type[SyscallError], said: str) -> None:
    with pytest.raises(kind, match=said):
        caller(Answers(-errno))(Command.PROG_LOAD, prog_type=6)


@pytest.mark.parametrize(("command", "size"), [(Command.MAP_DELETE_ELEM, 16), (Command.MAP_UPDATE_ELEM, 32)])
def test_each_command_is_sent_with_its_exact_size(command: Command, size: int) -> None:
    backend = Answers(0)
    caller(backend)(command, map_fd=1)
    assert backend.sizes == [size]
