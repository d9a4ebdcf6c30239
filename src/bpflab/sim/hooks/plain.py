"""What program types have in common whose context is no packet and whose test run takes little else.

The module is found under no program type's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.helpers import helper
from bpflab.sim.refusal import refuse_if

if TYPE_CHECKING:
    from bpflab.abi.prog_types import ProgType
    from bpflab.sim.programs import ProgSpec
    from bpflab.sim.test_run import RunInput


class PlainHook:
    """Load-time rules: the helper table, a range of return values if there is one, no writing to a packet."""

    def __init__(self, prog_type: ProgType, returns: tuple[int, int] | None = None) -> None:
        self.type = prog_type
        self._returns = returns

    def helper_allowed(self, spec: ProgSpec, helper_id: int) -> bool:
        """Ask the helper table."""
        del spec
        return self.type in helper(helper_id).programs

    def return_range(self, spec: ProgSpec) -> tuple[int, int] | None:
        """Return the range of verdicts."""
        del spec
        return self._returns

    def packet_writable(self, spec: ProgSpec) -> bool:
        """Allow no writing."""
        del spec
        return False


def check_plain(given: RunInput) -> None:
    """Refuse (EINVAL) packets, a count, and room for what comes out: such a run has none of these."""
    refuse_if(given.data or given.wants_data or given.wants_ctx)
    refuse_if(given.repeat or given.batch_size or given.duration)


def check_numbers(given: RunInput) -> None:
    """Refuse (EINVAL) flags, a CPU and a batch size."""
    refuse_if(given.flags or given.cpu or given.batch_size)
