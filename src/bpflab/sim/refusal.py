"""How the simulated kernel says no: an errno."""

from __future__ import annotations

from bpflab.abi.errno import Errno


class Refusal(Exception):  # noqa: N818 - the answer of a system call, not an error of this library
    """A command ends with this errno. Raised inside the simulator only; `SimKernel.command` answers with it."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


def refuse_if(condition: object, errno: Errno = Errno.EINVAL) -> None:
    """Refuse with `errno` when the condition holds."""
    if condition:
        raise Refusal(errno)
