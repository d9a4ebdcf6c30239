"""A chain of programs that hand a packet on by tail calls, loaded and run as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.abi.verdicts import TC, XDP
from bpflab.arguments import check_type, enum_member
from bpflab.errors import ArgumentError
from bpflab.programs.result import RunResult

if TYPE_CHECKING:
    from bpflab.asm.item import Item, Items
    from bpflab.lab import Lab
    from bpflab.programs.program import Program

    Stage = str | Items

MISSING = {ProgType.XDP: int(XDP.ABORTED), ProgType.SCHED_CLS: int(TC.SHOT), ProgType.SCHED_ACT: int(TC.SHOT)}
"""What is returned where no stage follows, unless the test says otherwise; 0 for the other types."""


class ChainResult(RunResult):
    """The answer of a chain: that of the stage that decided, with `stage` its index and `stage_name` its name."""

    __slots__ = ("stage", "stage_name")

    def __init__(self, result: RunResult, stage: int, stage_name: str) -> None:
        super().__init__(result.program, result.retval, result.data, result.duration, result.raw_ctx)
        self.stage = stage
        self.stage_name = stage_name

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, decided by stage {self.stage} {self.stage_name!r}>"


class Chain:
    """Stages by index, each leading to the next through a prog array; the first is where a run enters.

    A stage keeps the context in r6, which its code must leave alone. It goes on by its end or by a jump to the label
    `next`, and decides by returning. Where the next slot is empty, `missing` is returned.
    """

    def __init__(
        self,
        lab: Lab,
        name: str,
        stages: Iterable[Stage] | Mapping[str, Stage],
        *,
        type: ProgType,  # noqa: A002 - the field's own word for it, used by keyword
        missing: int,
    ) -> None:
        self.lab = lab
        self.name = name
        self.type = type
        self.missing = missing
        self._bodies = _named(name, stages)
        self.stage_names = list(self._bodies)
        self.prog_array = lab.map(MapType.PROG_ARRAY, max_entries=len(self._bodies), name=f"{name}.chain")
        self._reached = lab.map(MapType.ARRAY, key="u32", value="u32", max_entries=1, name=f"{name}.at")
        self.programs: list[Program | None] = [None] * len(self._bodies)
        for index, body in enumerate(self._bodies.values()):
            self.replace(index, body)

    def replace(self, index: int, body: Stage) -> Program:
        """Load new code for a stage and put it in its place at once; runs under way finish with the old one."""
        self._check(index)
        code = self._linked(index, _items(body, self.lab))
        program = self.lab.program(code, type=self.type, name=self.stage_names[index])
        self.prog_array[index] = program
        self.programs[index] = program
        return program

    def remove(self, index: int) -> None:
        """Empty a stage's slot: the stage before it returns `missing` from now on."""
        self._check(index)
        del self.prog_array[index]
        self.programs[index] = None

    def run(self, data: object = b"", ctx: Any = None, **options: Any) -> ChainResult:  # noqa: ANN401 - as Program.run
        """Run the chain from its first stage; arguments as of `Program.run`."""
        first = self.programs[0]
        if first is None:
            raise ArgumentError(f"Chain {self.name!r} has no first stage any more; replace(0, ...) gives it one.")
        result = first.run(data, ctx, **options)
        reached: int = self._reached[0]
        return ChainResult(result, reached, self.stage_names[reached])

    def _linked(self, index: int, body: list[Item]) -> list[Item]:
        from bpflab.asm import W, ld_map_value, r2, st
        from bpflab.asm.chain import stage

        mark = [*_flat(ld_map_value(r2, self._reached.name, 0)), st(W, r2, 0, index)]
        following = index + 1 if index + 1 < len(self._bodies) else None
        return stage([*mark, *body], following, missing=self.missing, prog_array=self.prog_array.name)

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self._bodies):
            raise ArgumentError(f"Chain {self.name!r} has stages 0 to {len(self._bodies) - 1}; given was {index}.")

    def __len__(self) -> int:
        return len(self._bodies)

    def __repr__(self) -> str:
        return f"<Chain {self.name!r}: {' -> '.join(self.stage_names)}>"


def build_chain(
    lab: Lab,
    name: str,
    stages: Iterable[Stage] | Mapping[str, Stage],
    *,
    type: ProgType | str,  # noqa: A002 - the field's own word for it, used by keyword
    missing: int | None,
) -> Chain:
    """Check the arguments of `Lab.chain` and build it."""
    kind = enum_member("type", type, ProgType)
    check_type("name", name, str, "a string")
    check_type("stages", stages, Iterable, "assembler texts or lists of instructions, in order or by name")
    return Chain(lab, name, stages, type=kind, missing=MISSING.get(kind, 0) if missing is None else int(missing))


def _named(name: str, stages: Iterable[Stage] | Mapping[str, Stage]) -> dict[str, Stage]:
    bodies = dict(stages) if isinstance(stages, Mapping) else {f"{name}.{i}": each for i, each in enumerate(stages)}
    if not bodies:
        raise ArgumentError(f"Chain {name!r} was given no stages; expected at least one.")
    return bodies


def _items(body: Stage, lab: Lab) -> list[Item]:
    from bpflab.asm.assembler import flatten
    from bpflab.asm.text.reader import read

    return list(read(body, lab.backend.byteorder).items) if isinstance(body, str) else list(flatten(body))


def _flat(items: Item | Iterable[Item]) -> list[Item]:
    from bpflab.asm.assembler import flatten

    return list(flatten(items))
