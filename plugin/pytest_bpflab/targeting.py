"""Coverage as hypothesis's target: examples that go more branches are kept and varied."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import target
from hypothesis.errors import InvalidArgument

from bpflab.coverage import Hits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpflab.coverage import Coverage

LABEL: Final = "edges of BPF branches"
_STEERED: Final = "_bpflab_steered"


class Steering:
    """Feeds hypothesis after each example of one test.

    What is fed is the number of different edges that the example went, and, for the rarest jump that it came to among
    those that have only ever gone one way, how many examples came there: so the newest is always the best, and
    hypothesis goes on varying examples that come to this jump until it goes the other way.
    """

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._seen: dict[str, Hits] = {}
        self._visits: Counter[str] = Counter()

    def forget(self) -> None:
        """Forget the test: another one begins."""
        self._seen.clear()
        self._visits.clear()

    def begin(self) -> None:
        """Count from nothing."""
        self._coverage.restart()

    def feed(self) -> int:
        """Tell hypothesis how many edges were gone since the last call; the test fails outside hypothesis."""
        went = self._coverage.current()
        edges = sum(hits.edges for hits in went.values())
        for digest, hits in went.items():
            self._seen[digest] = self._seen.get(digest, Hits()) | hits
        self._coverage.restart()
        try:
            target(edges, label=LABEL)
            self._feed_rarest(list(self._open(went)))
        except InvalidArgument as error:
            pytest.fail(f"bpf_cover_target() belongs at the end of a hypothesis test, once: {error}", pytrace=False)
        return edges

    def _feed_rarest(self, labels: list[str]) -> None:
        self._visits.update(labels)
        if labels:
            rarest = min(reversed(labels), key=self._visits.__getitem__)
            target(self._visits[rarest], label=rarest)

    def _open(self, went: dict[str, Hits]) -> Iterator[str]:
        for digest, hits in went.items():
            one_way = self._seen[digest].taken ^ self._seen[digest].fallen
            reached = (hits.taken | hits.fallen) & one_way
            yield from (f"{digest[:8]} at {slot}" for slot in range(reached.bit_length()) if reached >> slot & 1)


def steer(item: pytest.Item, coverage: Coverage) -> None:
    """Make a hypothesis test feed its edges after each example; other tests are left alone."""
    handle: Any = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is not None and not getattr(handle.inner_test, _STEERED, False):
        handle.inner_test = _steered(handle.inner_test, Steering(coverage))


def _steered(inner: Callable[..., object], steering: Steering) -> Callable[..., object]:
    @functools.wraps(inner)
    def example(*args: object, **kwargs: object) -> object:
        steering.begin()
        result = inner(*args, **kwargs)
        steering.feed()
        return result

    setattr(example, _STEERED, True)
    return example
