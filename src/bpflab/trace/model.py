"""What is told of a traced run: a list of visits to source lines, and what happened at each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import IntEnum

    from bpflab.programs.result import RunResult


@dataclass(frozen=True, slots=True)
class Branch:
    """A conditional jump: what was asked, such as `ip.proto == 1`, whether it was so, and the values that decided it.

    `taken` says whether the jump was taken; a compiler may have turned the question of the source line round.
    """

    pc: int
    taken: bool
    condition: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        because = f" ({', '.join(self.values)})" if self.values else ""
        return f"{'taken' if self.taken else 'not taken'}: {self.condition}{because}"


@dataclass(frozen=True, slots=True)
class HelperCall:
    """A call of a helper or kernel function: its name, its arguments by name, and what it returned, as text."""

    pc: int
    helper: str
    arguments: tuple[tuple[str, str], ...]
    result: str = ""

    def __str__(self) -> str:
        given = ", ".join(text if name == "map" else f"{name}={text}" for name, text in self.arguments)
        return f"{self.helper}({given})" + (f" = {self.result}" if self.result else "")


@dataclass(frozen=True, slots=True)
class MapChange:
    """A map's entry, or a part of it, before and after; `old` or `new` is None where there was no such entry.

    `place` is the entry as C would write it, such as `statistics[1].packets`.
    """

    pc: int
    map: str
    place: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        old, new = ("nothing" if each is None else each for each in (self.old, self.new))
        return f"map {self.place}: {old} -> {new}"


@dataclass(frozen=True, slots=True)
class MemoryChange:
    """Bytes of the packet, the context, the stack or other memory, before and after; by a helper where it is named."""

    pc: int
    place: str
    old: str
    new: str
    helper: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.old} -> {self.new}" + (f" (by {self.helper})" if self.helper else "")


@dataclass(frozen=True, slots=True)
class Entered:
    """Another function of the program began, or another program by a tail call."""

    pc: int
    name: str
    tail_call: bool = False

    def __str__(self) -> str:
        return f"{'tail call to program' if self.tail_call else 'call of'} {self.name}"


Happening: TypeAlias = Branch | HelperCall | MapChange | MemoryChange | Entered


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay at one source line, or at one instruction of a program without line info.

    `file` and `line` are empty and 0 without. `text` is the source line, or the instruction. `depth` counts the
    functions around it, `pc` is the slot of its first instruction.
    """

    program: str
    depth: int
    pc: int
    text: str
    file: str = ""
    line: int = 0
    happenings: tuple[Happening, ...] = ()

    @property
    def place(self) -> tuple[str, int, str, int]:
        """What two visits of the same line have in common."""
        return self.program, self.depth, self.file, self.line or -self.pc - 1


@dataclass(frozen=True, slots=True)
class Trace:
    """The way that a run took through its program.

    `visits` are in the order of execution; `left_out` says how many in their middle were not kept, `steps` how many
    instructions ran. `retval` is None where the program was stopped, then `fault` says why. `verdict` is the retval as
    the enum of its type, None where it has no such meaning. `packet` and `output` are the packet that went in and the
    one that came out. `differences` is what another backend answered otherwise for the same run, in words, and `note`
    where the trace was made if not by the run itself. `result` is the run's own, where `Program.trace` made it.
    """

    program: str
    visits: tuple[Visit, ...]
    retval: int | None
    verdict: IntEnum | None = None
    fault: str = ""
    packet: bytes = b""
    output: bytes = b""
    steps: int = 0
    left_out: int = 0
    kept_first: int = 0
    note: str = ""
    differences: tuple[str, ...] = ()
    result: RunResult | None = field(default=None, compare=False)

    def happenings(self) -> Iterator[Happening]:
        """Yield what happened, in order."""
        for visit in self.visits:
            yield from visit.happenings

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The conditional jumps."""
        return tuple(each for each in self.happenings() if isinstance(each, Branch))

    @property
    def calls(self) -> tuple[HelperCall, ...]:
        """The calls of helpers."""
        return tuple(each for each in self.happenings() if isinstance(each, HelperCall))

    @property
    def map_changes(self) -> tuple[MapChange, ...]:
        """The changes of maps."""
        return tuple(each for each in self.happenings() if isinstance(each, MapChange))

    @property
    def memory_changes(self) -> tuple[MemoryChange, ...]:
        """The changes of the packet, of the context, and of whatever helpers wrote to."""
        return tuple(each for each in self.happenings() if isinstance(each, MemoryChange))

    @property
    def lines(self) -> tuple[int, ...]:
        """The numbers of the source lines in the order of execution, repetitions and all."""
        return tuple(visit.line for visit in self.visits)

    def __str__(self) -> str:
        from bpflab.trace.text import trace_text

        return trace_text(self)
