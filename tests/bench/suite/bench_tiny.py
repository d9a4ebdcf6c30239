"""A suite of its own for the tests of `bpflab bench`: quick, with sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture


@pytest.mark.parametrize("size", [10, 100, 1000])
def test_sum(benchmark: BenchmarkFixture, size: int) -> None:
    assert benchmark(sum, range(size)) == size * (size - 1) // 2


def test_fill(benchmark: BenchmarkFixture) -> None:
    assert len(benchmark(lambda: {str(each): each for each in range(200)})) == 200
