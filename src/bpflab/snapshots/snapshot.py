"""What several maps held at one moment."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from bpflab.errors import ClosedError
from bpflab.snapshots.choice import cannot_change, keeper_of, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Self

    from bpflab.lab import Lab
    from bpflab.maps.handle import MapHandle
    from bpflab.snapshots.keeper import Keeper


class Snapshot:
    """The content of maps when it was taken; `restore()` brings it back, as often as is wanted.

    As a context manager it restores and closes at the end of the block. `left_out` says, by the map, why the content of
    some cannot be brought back. Ring buffers are emptied, not brought back; an LRU map has its entries again, not the
    order in which they were used. A map that was closed meanwhile is passed over.

    `others` are called at each `restore`, before the maps: what else is to be set back.
    """

    def __init__(
        self, lab: Lab, maps: Iterable[MapHandle[Any, Any]], others: Sequence[Callable[[], None]] = ()
    ) -> None:
        self._lab = lab
        self.left_out: dict[str, str] = {}
        self._kept: list[tuple[MapHandle[Any, Any], Keeper]] = []
        self._others = others
        self._closed = False
        with ExitStack() as stack:
            stack.callback(self.close)
            for each in maps:
                self._keep(each)
            stack.pop_all()

    def _keep(self, source: MapHandle[Any, Any]) -> None:
        if cannot_change(source):
            return
        reason = why_not(source)
        if reason:
            self.left_out[source.name or source.shape.label] = reason
        else:
            self._kept.append((source, keeper_of(source)))

    def restore(self) -> None:
        """Make every map hold what it held. ClosedError after `close()`; MapError when a kernel refuses."""
        if self._closed:
            raise ClosedError("This snapshot is closed; take another one.")
        for call in self._others:
            call()
        for source, keeper in self._kept:
            if not source.closed:
                keeper.restore()

    def close(self) -> None:
        """Forget what the maps held, and unmap; closing twice is fine."""
        self._closed = True
        self._lab.disown(self)
        kept, self._kept = self._kept, []
        with ExitStack() as stack:
            for _, keeper in kept:
                stack.callback(keeper.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.restore()
        finally:
            self.close()

    def __repr__(self) -> str:
        left = f", left out {', '.join(self.left_out)}" if self.left_out else ""
        return f"<Snapshot of {len(self._kept)} maps{left}{', closed' if self._closed else ''}>"
