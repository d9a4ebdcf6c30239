"""Exceptions: a program that ends from within its functions (kernel/bpf/helpers.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment


def bpf_throw(env: Environment, cookie: int) -> None:
    """End the program: with what its exception callback gives for the cookie, or with the cookie itself."""
    env.run.throw(cookie)
