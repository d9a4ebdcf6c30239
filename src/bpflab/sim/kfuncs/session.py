"""Programs of sessions, which run when a function is entered and when it returns (kernel/trace/bpf_trace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.sim.region import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.test_run import Environment

COOKIE: Final = 8


def bpf_session_is_return(env: Environment) -> int:
    """Tell whether the function returns: what `world.probe.returning` says."""
    return int(env.kernel.world.probe.returning)


def bpf_session_cookie(env: Environment) -> int:
    """Give eight bytes that last from the entry of the function to its return: `world.probe.session`."""
    probe, memory = env.kernel.world.probe, env.kernel.memory
    if not probe.session:
        probe.session = memory.add(RegionKind.BUFFER, bytearray(COOKIE), name="session cookie").address
    return probe.session
