"""Socket programs of cgroups: made, bound, released (net/core/filter.c). The context is the socket itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.prog_types import ProgType
from bpflab.sim.context_socket import made_for
from bpflab.sim.hooks.cgroup import CgroupHook

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.memory import Scope
    from bpflab.sim.test_run import Environment, RunInput


class SockHook(CgroupHook):
    """A socket's fields in and out."""

    def prepare(self, env: Environment, scope: Scope, context: FieldContext, given: RunInput) -> None:
        """Have a socket for the helpers that ask for its cookie or its storage."""
        super().prepare(env, scope, context, given)
        context.socket = made_for(scope, context)


HOOK: Final = SockHook(ProgType.CGROUP_SOCK, "bpf_sock")
