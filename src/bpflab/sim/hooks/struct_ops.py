"""Programs that implement an operation: a member of a struct of the kernel (kernel/bpf/bpf_struct_ops.c).

Their arguments are those of the function that the member points to, and what they return is what it returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.prog_types import ProgType
from bpflab.abi.struct_ops import ANY, RULES
from bpflab.sim.hooks.typed import TypedHook, prototype, typed_parameters

if TYPE_CHECKING:
    from bpflab.sim.check import Kind
    from bpflab.sim.programs import ProgSpec


class StructOpsHook(TypedHook):
    """Any number may be returned; a function that returns nothing leaves r0 as it is."""

    def arguments(self, spec: ProgSpec) -> list[tuple[Kind, int]]:
        """Return the parameters of the operation; a socket is one of TCP where the operations are TCP's."""
        found, btf = prototype(spec), spec.kernel_types
        if found is None or btf is None:
            return []
        rule = RULES.get(btf.name(spec.attach_btf_id), ANY)
        promoted = {
            btf.find(given, BtfKind.STRUCT): btf.find(taken, BtfKind.STRUCT) or 0 for given, taken in rule.promoted
        }
        return [(kind, promoted.get(number, number)) for kind, number in typed_parameters(*found)]


HOOK: Final = StructOpsHook(ProgType.STRUCT_OPS)
