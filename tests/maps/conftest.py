from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bpflab.errors import NotSupportedError
from bpflab.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpflab.maps.base import Map


@pytest.fixture
def make(bpf: Lab) -> Callable[..., Map[Any, Any]]:
    """Make a map; a type or flag that this backend does not have skips the test by its name."""

    def made(type: str, **arguments: object) -> Map[Any, Any]:  # noqa: A002 - as of lab.map()
        try:
            return bpf.map(type, **arguments)  # type: ignore[arg-type]  # the tests' own arguments
        except NotSupportedError as error:
            pytest.skip(f"{bpf.backend.name} does not have {type} maps such as {arguments}: {error}")

    return made


@pytest.fixture
def labs(bpf_backend: str) -> Iterator[Callable[[], Lab]]:
    """Open Labs, one for each example of a property, and close them all."""
    opened: list[Lab] = []

    def one() -> Lab:
        while opened:
            opened.pop().close()
        opened.append(Lab(bpf_backend))
        return opened[0]

    yield one
    for lab in opened:
        lab.close()
