"""A Lab to run what was assembled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpflab.backend.select import kernel_refusal
from bpflab.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["kernel", "sim"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    refusal = kernel_refusal() if request.param == "kernel" else None
    if refusal is not None:
        pytest.skip(f"the kernel's BPF cannot be used: {refusal}")
    with Lab(request.param) as opened:
        yield opened
