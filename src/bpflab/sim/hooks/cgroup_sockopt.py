"""Socket option programs of cgroups: getsockopt and setsockopt, before or after the kernel (kernel/bpf/cgroup.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.errno import Errno
from bpflab.abi.helpers import helper
from bpflab.abi.prog_types import ProgType
from bpflab.abi.run_rules import PAGE_SIZE
from bpflab.errors import InputError
from bpflab.sim.check import Kind
from bpflab.sim.context_socket import stand_in
from bpflab.sim.hooks.cgroup import CgroupHook, is_error
from bpflab.sim.memory import RegionKind

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.memory import Scope
    from bpflab.sim.programs import ProgSpec
    from bpflab.sim.test_run import Environment, RunInput

LEAST_BUFFER: Final = 16
"""What setsockopt's buffer has at least (BPF_SOCKOPT_KERN_BUF_SIZE is 32, but 16 are promised)."""
BYPASS: Final = -1
"""The optlen by which a program says that it set the option itself."""
POINTERS: Final = {
    "sk": (Kind.SOCKET, False),
    "optval": (Kind.PACKET, False),
    "optval_end": (Kind.PACKET_END, False),
}


class SockOptHook(CgroupHook):
    """The option's bytes in and out beside the context."""

    takes_data = True

    def packet_writable(self, spec: ProgSpec) -> bool:
        """Allow writes to the option."""
        del spec
        return True

    def helper_allowed(self, spec: ProgSpec, helper_id: int) -> bool:
        """Allow setsockopt and getsockopt before the kernel alone."""
        calls_again = helper(helper_id).name in {"setsockopt", "getsockopt"}
        if calls_again and spec.expected_attach_type != AttachType.CGROUP_SETSOCKOPT:
            return False
        return super().helper_allowed(spec, helper_id)

    def prepare(self, env: Environment, scope: Scope, context: FieldContext, given: RunInput) -> None:
        """Give the option a buffer of a page at most, as long as `optlen` says or as there are bytes."""
        super().prepare(env, scope, context, given)
        stand_in(env, scope, context)
        context["optlen"] = context["optlen"] or len(given.data)
        setting = env.program.spec.expected_attach_type == AttachType.CGROUP_SETSOCKOPT
        if context["optlen"] < 0:
            raise InputError(
                f"SockOpt(optlen={context['optlen']}): expected a length, as the kernel asks no program for less."
            )
        wanted = max(context["optlen"], LEAST_BUFFER if setting else 0)
        buffer = bytearray(min(wanted, PAGE_SIZE))
        known = given.data[: min(context["optlen"], len(buffer))]
        buffer[: len(known)] = known
        region = scope.add(RegionKind.PACKET, buffer, name="optval")
        context.about = _Option(given.data, buffer, context["optlen"], setting=setting)
        context["optval"], context["optval_end"] = region.address, region.address + len(buffer)

    def finish(self, env: Environment, context: FieldContext, retval: int) -> int:
        """Refuse (EFAULT) an optlen that the buffer does not have."""
        super().finish(env, context, retval)
        option = _option(context)
        if not is_error(context["retval"]) and option.is_wrong(context["optlen"]):
            context["retval"] = -Errno.EFAULT
        return retval

    def data_out(self, context: FieldContext) -> bytes | None:
        """Return the option that the kernel or the caller gets: the caller's own when `optlen` is 0."""
        option, length = _option(context), context["optlen"]
        return option.given if length == 0 else bytes(option.buffer[: max(length, 0)])


class _Option:
    """The caller's bytes, the program's buffer, and the length that the program was given."""

    def __init__(self, given: bytes, buffer: bytearray, length: int, *, setting: bool) -> None:
        self.given = given
        self.buffer = buffer
        self.length = length
        self.setting = setting

    def is_wrong(self, optlen: int) -> bool:
        if self.length > PAGE_SIZE and optlen >= 0:
            return False
        return optlen > len(self.buffer) or optlen < (BYPASS if self.setting else 0)


def _option(context: FieldContext) -> _Option:
    assert isinstance(context.about, _Option)
    return context.about


HOOK: Final = SockOptHook(ProgType.CGROUP_SOCKOPT, "bpf_sockopt", pointers=POINTERS)
