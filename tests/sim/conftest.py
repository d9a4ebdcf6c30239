"""The running kernel beside the simulated one: the same program or command, the same input, the same answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bpflab import Lab
from bpflab.abi.commands import Command
from bpflab.asm import Items
from bpflab.backend.attr import Attr
from bpflab.backend.kernel import KernelBackend
from bpflab.backend.select import kernel_refusal
from bpflab.errors import BpfError
from bpflab.programs.result import RunResult, signed
from bpflab.sim.backend import SimBackend
from bpflab.sim.kernel import Machine

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
        assert sim == kernel, f"the simulator answers {shown(sim)}, the running kernel {shown(kernel)}"
        return kernel

    def maps(self, *arguments: Any, **options: Any) -> Sequence[Any]:
        """Create the same map in both, and return both."""
        return [lab.map(*arguments, **options) for lab in (self.kernel, self.sim)]


def shown(answer: Answer) -> str:
    """Write an answer so that a person sees what differs: the verdict as a signed number, then the bytes."""
    if isinstance(answer, str):
        return answer
    retval, data, ctx = answer
    return f"{signed(retval)} with packet {data.hex()} and context {ctx.hex() if ctx else 'none'}"


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


Descriptors = tuple[int, int]


@dataclass(frozen=True)
class Said:
    """What a command answered: 0 or more, or a negative errno; what it wrote, by field."""

    result: int
    written: dict[str, object]


@dataclass(frozen=True)
class Wanted:
    """What of an answer is compared: buffers by size, fields of the attr, records in any order by size."""

    room: dict[str, int]
    shows: tuple[str, ...]
    unordered: dict[str, int]


@dataclass
class Both:
    """Sends a command to both kernels and asserts that they answer the same.

    A value may be a pair, one for each kernel: descriptors are. `room` gives the sizes of buffers to be written, by
    field; `unordered` names those whose records of so many bytes may come in any order.
    """

    backends: tuple[KernelBackend, SimBackend]
    opened: list[Descriptors] = field(default_factory=list)

    def __call__(
        self,
        command: Command,
        *,
        room: dict[str, int] | None = None,
        shows: tuple[str, ...] = (),
        unordered: dict[str, int] | None = None,
        **values: Any,
    ) -> Said:
        wanted = Wanted(room or {}, shows, unordered or {})
        kernel, sim = (self.ask(side, command, values, wanted) for side in (0, 1))
        assert sim == kernel, f"{command.name} {values}: the kernel answers {kernel}, the simulator {sim}"
        return kernel

    def open(self, command: Command, **values: Any) -> Descriptors:
        """Send a command that returns a descriptor to both, and return both descriptors."""
        first, second = (self.send(side, command, values) for side in (0, 1))
        opened = first[0], second[0]
        assert min(opened) >= 0, f"{command.name} {values}: the kernel answers {opened[0]}, the simulator {opened[1]}"
        self.opened.append(opened)
        return opened

    def refused(self, command: Command, **values: Any) -> int:
        """Send a command that would return a descriptor; 0 when it does, else the errno that both answer."""
        results = []
        for side in (0, 1):
            result, _ = self.send(side, command, values)
            if result >= 0:
                self.backends[side].close(result)
            results.append(-min(result, 0))
        kernel, sim = results
        assert sim == kernel, f"{command.name} {values}: the kernel answers {kernel}, the simulator {sim}"
        return results[0]

    def close(self) -> None:
        while self.opened:
            kernel, sim = self.opened.pop()
            self.backends[0].close(kernel)
            self.backends[1].close(sim)

    def send(self, side: int, command: Command, values: dict[str, Any]) -> tuple[int, Attr]:
        own = {name: value[side] if isinstance(value, tuple) else value for name, value in values.items()}
        backend, attr = self.backends[side], Attr(command, own)
        result = backend.bpf(command, attr.pointer, attr.size)
        return (result if result >= 0 else -backend.errno()), attr

    def ask(self, side: int, command: Command, values: dict[str, Any], wanted: Wanted) -> Said:
        buffers = {name: bytearray(b"\xee" * size) for name, size in wanted.room.items()}
        result, attr = self.send(side, command, values | buffers)
        written: dict[str, object] = {name: bytes(data) for name, data in buffers.items()}
        for name, size in wanted.unordered.items():
            written[name] = sorted(bytes(buffers[name][at : at + size]) for at in range(0, len(buffers[name]), size))
        return Said(result, written | {name: attr[name] for name in wanted.shows})


@pytest.fixture(scope="session")
def kernels() -> tuple[KernelBackend, SimBackend]:
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    kernel = KernelBackend()
    return kernel, SimBackend(Machine(possible_cpus=kernel.possible_cpus))


@pytest.fixture
def both(kernels: tuple[KernelBackend, SimBackend]) -> Iterator[Both]:
    """Give the function that sends a command to both kernels, from one CPU, and closes what they opened."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    kernels[1].kernel.cpu = min(cpus)
    asked = Both(kernels)
    try:
        yield asked
    finally:
        asked.close()
        os.sched_setaffinity(0, cpus)


@pytest.fixture
def make(both: Both) -> Callable[..., Descriptors]:
    """Give the function that makes the same map in both kernels."""

    def create(map_type: int, key: int, value: int, entries: int, flags: int = 0, **more: Any) -> Descriptors:
        sizes = {"key_size": key, "value_size": value, "max_entries": entries, "map_flags": flags}
        return both.open(Command.MAP_CREATE, map_type=map_type, **sizes, **more)

    return create
