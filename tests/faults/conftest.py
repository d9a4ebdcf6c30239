from __future__ import annotations

from collections.abc import Iterator

import pytest

from bpflab import Lab


@pytest.fixture(params=["the backend of the run", "mock"])
def lab(request: pytest.FixtureRequest, bpf: Lab) -> Iterator[Lab]:
    """A Lab on the backend that the tests run on, and one on a mock: faults are the same on both."""
    if request.param == "mock":
        with Lab("mock") as mocked:
            yield mocked
    else:
        yield bpf
