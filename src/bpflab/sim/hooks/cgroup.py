"""What programs of cgroups have in common: a system call that they allow or deny (kernel/bpf/cgroup.c).

The module is found under no program type's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.field_rules import WITHOUT_RETVAL
from bpflab.abi.helpers import helper
from bpflab.sim.hooks.fields import FieldsHook

if TYPE_CHECKING:
    from bpflab.sim.field_context import FieldContext
    from bpflab.sim.programs import ProgSpec
    from bpflab.sim.test_run import Environment

RETVAL_HELPERS: Final = frozenset({"get_retval", "set_retval"})
LARGEST_ERRNO: Final = 4095


class CgroupHook(FieldsHook):
    """Verdicts whose first bit allows; what the system call returns is `retval` of the context that comes back."""

    def helper_allowed(self, spec: ProgSpec, helper_id: int) -> bool:
        """Ask the helper table, and whether the place of attachment has a result of the system call."""
        if helper(helper_id).name in RETVAL_HELPERS and spec.expected_attach_type in WITHOUT_RETVAL:
            return False
        return super().helper_allowed(spec, helper_id)

    def finish(self, env: Environment, context: FieldContext, retval: int) -> int:
        """Deny with -EPERM, unless a helper or an earlier program said another error (bpf_prog_run_array_cg)."""
        del env
        if not retval & 1 and not is_error(context["retval"]):
            context["retval"] = -Errno.EPERM
        return retval


def is_error(retval: int) -> bool:
    """Whether a number is a negative errno (IS_ERR_VALUE)."""
    return -LARGEST_ERRNO <= retval < 0
