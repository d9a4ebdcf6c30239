"""The keyword arguments that every consumer takes; `Consumer` documents them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.events.queue import Policy


class ConsumerOptions(TypedDict, total=False):
    """Options of a consumer, by name."""

    max_pending: int | None
    policy: Policy | str
    handler: Callable[[Any], object] | None
    on_drop: Callable[[bytes], object] | None
    on_error: Callable[[Exception, bytes], object] | None
    decode: Callable[[bytes], Any] | None
    timeout: float | None
