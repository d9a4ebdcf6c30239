"""Security programs: a hook's arguments in, 0 or a negative errno out (kernel/bpf/bpf_lsm.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.prog_types import ProgType
from bpflab.obj.btf_layout import size_of
from bpflab.sim.hooks.typed import TypedHook, prototype

if TYPE_CHECKING:
    from bpflab.sim.programs import ProgSpec

LARGEST_ERRNO: Final = 4095


class LsmHook(TypedHook):
    """Hooks that answer with a number take an errno; those that answer nothing, anything."""

    def return_range(self, spec: ProgSpec) -> tuple[int, int] | None:
        """Return verdicts for cgroups; else 0 and negative errnos, 0 and 1 for a bool, None for void."""
        found = prototype(spec)
        if spec.expected_attach_type == AttachType.LSM_CGROUP:
            return (1, 1) if found is not None and not found[1].return_id else (0, 1)
        if found is None or not found[1].return_id:
            return None
        btf, proto, _ = found
        return (0, 1) if size_of(btf, proto.return_id) == 1 else (-LARGEST_ERRNO, 0)


HOOK: Final = LsmHook(ProgType.LSM)
