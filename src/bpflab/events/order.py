"""Whether this machine needs fences between its loads and stores of shared memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.architectures import current
from bpflab.abi.rings import STRONGLY_ORDERED
from bpflab.errors import UnknownArchitectureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.backend.base import Backend


def fence_of(backend: Backend) -> Callable[[], object]:
    """Return the backend's fence, or a function that does nothing where the machine keeps the order by itself."""
    try:
        ordered = current().name in STRONGLY_ORDERED
    except UnknownArchitectureError:
        ordered = False
    return _nothing if ordered else backend.fence


def _nothing() -> None:
    return None
