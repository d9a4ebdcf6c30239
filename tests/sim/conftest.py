"""The running kernel beside the simulated one: the same program, the same input, the same answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from bpflab import Lab
from bpflab.asm import Items
from bpflab.backend.select import kernel_refusal
from bpflab.errors import BpfError
from bpflab.programs.result import RunResult

Answer = tuple[int, bytes, bytes | None] | str


@dataclass(frozen=True)
class Pair:
    """Two Labs, and what runs one program on both."""

    kernel: Lab
    sim: Lab

    def answers(self, code: Items, packet: object, ctx: Any = None, **options: Any) -> list[Answer]:
        """Return what each answers: verdict, packet and context, or the class of its refusal."""
        return [answer(lab, code, packet, ctx, **options) for lab in (self.kernel, self.sim)]

    def agree(self, code: Items, packet: object, ctx: Any = None, **options: Any) -> Answer:
        """Assert that both answer the same, and return it."""
        kernel, sim = self.answers(code, packet, ctx, **options)
        assert sim == kernel
        return kernel

    def maps(self, *arguments: Any, **options: Any) -> Sequence[Any]:
        """Create the same map in both, and return both."""
        return [lab.map(*arguments, **options) for lab in (self.kernel, self.sim)]


def answer(lab: Lab, code: Items, packet: object, ctx: Any, *, repeat: int = 1, **options: Any) -> Answer:
    try:
        program = lab.program(code, **options)
        try:
            return answer_of(program.run(packet, ctx, repeat=repeat))
        finally:
            program.close()
    except BpfError as error:
        return type(error).__name__


def answer_of(result: RunResult) -> Answer:
    return result.retval, result.data, result.raw_ctx


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab("sim") as sim:
        yield Pair(kernel, sim)


@pytest.fixture
def same(pair: Pair) -> Callable[..., Answer]:
    """Give the function that runs a program on both kernels and asserts that they agree."""
    return pair.agree
