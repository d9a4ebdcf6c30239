"""How much work the benchmarks do: always the same for the same options, so that instructions can be counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

ROUNDS = {"kernel": 11, "sim": 5}
QUICK_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Effort:
    """The amount of work that the command line and the backend call for.

    `backend` is `kernel` or `sim`; on `sim`, which may itself run in an emulated guest, counts are small.
    """

    backend: str
    rounds: int
    quick: bool

    def count(self, kernel: int, sim: int) -> int:
        """Return how many operations a round has; a quarter of them in the quick form, at least one."""
        full = kernel if self.backend == "kernel" else sim
        return max(1, full // 4) if self.quick else full
