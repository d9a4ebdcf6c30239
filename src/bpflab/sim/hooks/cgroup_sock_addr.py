"""Address programs of cgroups: bind, connect, sendmsg, recvmsg, getpeername, getsockname (net/core/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.field_rules import BINDS, CONNECTS, MUST_ALLOW
from bpflab.abi.helpers import helper
from bpflab.abi.prog_types import ProgType
from bpflab.sim.check import Kind
from bpflab.sim.context_socket import stand_in
from bpflab.sim.hooks.cgroup import CgroupHook

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.memory import Scope
    from bpflab.sim.programs import ProgSpec
    from bpflab.sim.test_run import Environment, RunInput


class SockAddrHook(CgroupHook):
    """An address in, the address that is used instead out."""

    def helper_allowed(self, spec: ProgSpec, helper_id: int) -> bool:
        """Allow bind only where a socket connects."""
        if helper(helper_id).name == "bind" and spec.expected_attach_type not in CONNECTS:
            return False
        return super().helper_allowed(spec, helper_id)

    def return_range(self, spec: ProgSpec) -> tuple[int, int] | None:
        """Return 1 alone where nothing can be denied, four values where a port is bound."""
        if spec.expected_attach_type in MUST_ALLOW:
            return (1, 1)
        return (0, 3) if spec.expected_attach_type in BINDS else (0, 1)

    def prepare(self, env: Environment, scope: Scope, context: FieldContext, given: RunInput) -> None:
        """Point to the socket that was given, or to one of the family, type and protocol that were."""
        super().prepare(env, scope, context, given)
        stand_in(env, scope, context)


HOOK: Final = SockAddrHook(ProgType.CGROUP_SOCK_ADDR, "bpf_sock_addr", pointers={"sk": (Kind.SOCKET, False)})
