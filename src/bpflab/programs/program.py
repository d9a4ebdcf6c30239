"""A loaded program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.arguments import check_iterable
from bpflab.contexts import Arguments
from bpflab.errors import ProgramError
from bpflab.handles.presence import Presence
from bpflab.programs.info import ProgramInfo, program_info
from bpflab.programs.links import all_links
from bpflab.programs.run import Runner

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import SupportsInt

    from bpflab.abi.prog_types import ProgType
    from bpflab.backend.descriptor import Descriptor
    from bpflab.contexts import AnyContext
    from bpflab.lab import Lab
    from bpflab.obj.spec import ProgramSpec
    from bpflab.programs.columns import RunColumns
    from bpflab.programs.load import LoadRequest
    from bpflab.programs.result import RunResult
    from bpflab.programs.verifier import VerifierStats


class Program(Presence):
    """A program in a kernel: its name, type, and what can be done with it.

    `insns` are the instruction bytes that were loaded, `spec` what its object said of it, or None.
    """

    by_id = Command.PROG_GET_FD_BY_ID

    def __init__(
        self,
        lab: Lab,
        descriptor: Descriptor,
        *,
        type: ProgType,  # noqa: A002 - the field's own word for it
        name: str,
        insns: bytes,
        spec: ProgramSpec | None = None,
    ) -> None:
        super().__init__(lab, descriptor)
        self.type = type
        self.name = name
        self.insns = insns
        self.spec = spec
        self.byteorder = lab.backend.byteorder
        self._runner: Runner | None = None
        self.loaded_by: LoadRequest | None = None

    def run(
        self,
        data: object = b"",
        ctx: AnyContext | bytes | None = None,
        *,
        repeat: int = 1,
        flags: int = 0,
        cpu: int | None = None,
        batch_size: int | None = None,
        args: Sequence[SupportsInt] | None = None,
    ) -> RunResult:
        """Run the program on a packet, by BPF_PROG_TEST_RUN, and return its verdict and what came out.

        `data` is the packet from its Ethernet header on (from the IP header for NETFILTER), as bytes or anything
        with `__bytes__`. `ctx` is a context of the program's type (`XdpMd`, `SkBuff`, ...) or its bytes. `repeat`
        runs it so many times, each on the packet that the run before left, and reports the mean duration. `flags` are
        RunFlag; `cpu` (RAW_TRACEPOINT) the CPU to run on; `batch_size` (XDP_LIVE_FRAMES) frames a batch. `args` are the
        arguments of a tracing program, in the place of `ctx`: numbers, or objects of the simulated world.

        InputError says what the kernel would answer with EINVAL; CannotRunError that no kernel runs the type.
        """
        if args is not None:
            ctx = Arguments(args, self.byteorder)
        runner = self._runner
        if runner is None:
            runner = self._runner = Runner(self.lab, self, self.type)
        if type(data) is bytes and ctx is None and repeat == 1 and not (flags or cpu or batch_size):
            result = runner.packet(data)
            if result is not None:
                return result
        return runner.general(data, ctx, repeat=repeat, flags=flags, cpu=cpu, batch_size=batch_size)

    def rebind(self) -> None:
        """Take the Lab's backend anew, for the runs to come."""
        super().rebind()
        self._runner = None

    def run_many(
        self, packets: Iterable[object], ctx: AnyContext | bytes | None = None, *, outputs: bool = False
    ) -> RunColumns:
        """Run the program once on each packet, and return columns: retval, length, duration; `counts()` of verdicts.

        Cheaper than a loop of `run()`, and made for thousands. The packets that come out are kept when `outputs` asks
        for them. `ctx` is the context of each run. An error names the number of its packet in a note.
        """
        from bpflab.programs.many import run_many

        check_iterable("packets", packets, "packets")
        runner = self._runner
        if runner is None:
            runner = self._runner = Runner(self.lab, self, self.type)
        return run_many(
            self,
            runner,
            packets,
            bounds=runner.bounds if ctx is None else (1, 0),
            outputs=outputs,
            alone=lambda data: self.run(data, ctx),
        )

    @property
    def info(self) -> ProgramInfo:
        """What the kernel says of the program."""
        return program_info(self.lab.call, self.fileno())

    @property
    def verifier_stats(self) -> VerifierStats:
        """What the verifier did: instructions processed, states, stack, time; the program is loaded again for it.

        ProgramError where nothing is told: the program was opened, not loaded here, or the kernel has no statistics.
        """
        from bpflab.programs.load import verifier_stats

        request = None if self.closed else self.loaded_by
        found = None if request is None else verifier_stats(self.lab.call, request)
        if found is None:
            raise ProgramError(
                f"What the verifier did with {self.name!r} is not known: the program was not loaded by this Lab, what "
                "it needs is closed, or the kernel tells no statistics."
            )
        return found

    def close(self) -> None:
        """Close this descriptor of it. The program itself lives while a link, a pin or a descriptor holds it."""
        self._runner = None
        super().close()

    @property
    def attached(self) -> bool:
        """Whether a link of the kernel holds the program (programs attached without a link are not found)."""
        return any(link.prog_id == self.id for link in all_links(self.lab.call))

    def disassemble(self, *, loaded: bool = False) -> str:
        """Return the instructions as the kernel rewrote them, numbered; with `loaded` as they were loaded.

        The latter have their source lines, where those are known. A kernel shows its own form to CAP_PERFMON and
        CAP_SYS_ADMIN only; for others it is the loaded one, too.
        """
        from bpflab.asm.disassembler import disassemble

        xlated = b"" if loaded else self.info.xlated
        lines = self.spec.lines if self.spec is not None and not xlated else ()
        texts = {line.insn: line.text.strip() for line in lines if line.text.strip()}
        return disassemble(xlated or self.insns, byteorder=self.byteorder, sources=texts, numbered=True)

    def __repr__(self) -> str:
        return f"<{self.type.name} program {self.name!r}{', closed' if self.closed else ''}>"
