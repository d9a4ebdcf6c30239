"""Coverage as hypothesis's target: examples that go more branches are kept and varied."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import target
from hypothesis.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.coverage import Coverage

LABEL: Final = "edges of BPF branches"
_WRAPPED: Final = "_bpflab_targeted"


def feed(coverage: Coverage) -> int:
    """Tell hypothesis how many edges were gone since the last call, and count anew; the test fails elsewhere."""
    edges = coverage.edges
    coverage.restart()
    try:
        target(edges, label=LABEL)
    except InvalidArgument as error:
        pytest.fail(f"bpf_cover_target() belongs at the end of a hypothesis test, once: {error}", pytrace=False)
    return edges


def steer(item: pytest.Item, coverage: Coverage) -> None:
    """Make a hypothesis test feed its edges after each example; other tests are left alone."""
    handle: Any = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None or getattr(handle.inner_test, _WRAPPED, False):
        return
    handle.inner_test = _targeted(handle.inner_test, coverage)


def _targeted(inner: Callable[..., object], coverage: Coverage) -> Callable[..., object]:
    @functools.wraps(inner)
    def example(*args: object, **kwargs: object) -> object:
        coverage.restart()
        result = inner(*args, **kwargs)
        feed(coverage)
        return result

    setattr(example, _WRAPPED, True)
    return example
