"""What a test run is given and answers, between PROG_TEST_RUN and the hook of the program's type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bpflab.sim.engine import Run
from bpflab.sim.explain import fault_error
from bpflab.sim.fault import Fault
from bpflab.sim.observe import observed

if TYPE_CHECKING:
    from bpflab.sim.engine import PacketLoad
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.memory import Scope
    from bpflab.sim.programs import SimProgram


@dataclass(frozen=True, slots=True)
class RunInput:
    """What the caller passed: packet and context as bytes, None for a context that was not given.

    `wants_data` and `wants_ctx` say whether the caller gave a buffer for what comes out; `ctx_size_out` is how
    long that of the context is.
    """

    data: bytes = b""
    ctx: bytes | None = None
    repeat: int = 1
    flags: int = 0
    cpu: int = 0
    batch_size: int = 0
    wants_data: bool = True
    ctx_size_out: int = 0
    data_size_out: int = 0
    duration: int = 0

    @property
    def wants_ctx(self) -> bool:
        """Whether a buffer for the context was given."""
        return self.ctx_size_out > 0


@dataclass(frozen=True, slots=True)
class RunOutput:
    """What a run answers: r0 (32 bits), the packet and the context that came out (None: not written).

    `ctx_in` is written over the context that was given, which only SYSCALL programs do.
    """

    retval: int
    data: bytes | None = None
    ctx: bytes | None = None
    ctx_in: bytes | None = None


@runtime_checkable
class RunnableHook(Protocol):
    """A hook whose programs PROG_TEST_RUN runs."""

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run a program; raises `Refusal` for what the kernel refuses, `Fault` for an unsafe act."""


class Environment:
    """What a running program has around it; helpers find it as `run.env`.

    `frame` is the packet in whatever form its hook has (None for programs without one), `context` the address
    of the context, `program` the program that was started (a tail call changes `running`).
    """

    __slots__ = ("context", "frame", "kernel", "program", "run", "running", "state")

    run: Run
    """The execution under way, for a helper that calls back, tail-calls or holds references."""

    def __init__(self, kernel: SimKernel, program: SimProgram, context: int = 0, frame: object = None) -> None:
        self.kernel = kernel
        self.program = program
        self.running = program
        self.context = context
        self.frame = frame
        self.state: dict[str, object] = {}


def invoke(env: Environment, scope: Scope, packet_load: PacketLoad | None = None) -> int:
    """Run the program once, with the context in r1, and return r0. FaultError stops an unsafe act."""
    kernel, program = env.kernel, env.program
    env.running = program
    run = Run(
        program.engine,
        scope,
        arguments=(env.context,),
        env=env,
        cpu=kernel.cpu,
        packet_load=packet_load,
    )
    if program.returns_nothing:
        run.regs[0] = 0
    if kernel.interleaving is not None:
        run.drive = kernel.interleaving.drive
    # Runs that race are not watched: they take turns, which the engine that watches does not.
    observer = kernel.world.observer if kernel.interleaving is None else None
    try:
        return run.execute() if observer is None else observed(observer, env, run)
    except Fault as fault:
        raise fault_error(fault, env.running) from None
    finally:
        if kernel.counting:
            program.run_count += 1
        kernel.steps += run.steps
