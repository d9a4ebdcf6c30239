"""What the system call returns that a cgroup's program decides about (kernel/bpf/cgroup.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.sim.field_context import FieldContext

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment


def get_retval(env: Environment) -> int:
    """Give the result so far: 0, an error of a program before this one, or what set_retval said."""
    return _of(env)["retval"]


def set_retval(env: Environment, retval: int) -> int:
    """Say what the system call returns."""
    _of(env)["retval"] = retval
    return 0


def _of(env: Environment) -> FieldContext:
    assert isinstance(env.frame, FieldContext)
    return env.frame
