"""What the simulator says when a program does something unsafe.

A `Fault` is raised inside the simulator and carries facts; the kernel's edge turns it into
`bpflab.errors.FaultError`. Memory knows the access, the engine adds the machine's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """The unsafe acts, each by the words that name it in a report."""

    NULL_POINTER = "null pointer"
    NOT_A_POINTER = "not a pointer"
    OUT_OF_BOUNDS = "out of bounds"
    USE_AFTER_FREE = "use after free"
    READ_ONLY = "write to read-only memory"
    OPAQUE = "access to an opaque object"
    MISALIGNED = "misaligned access"
    UNINITIALISED_STACK = "uninitialised stack"
    UNINITIALISED_REGISTER = "uninitialised register"
    STACK_OVERFLOW = "stack overflow"
    CALL_DEPTH = "too many frames"
    BUDGET = "instruction budget"
    BAD_JUMP = "jump outside the program"
    BAD_INSN = "unknown instruction"
    UNKNOWN_HELPER = "unknown helper"
    HELPER_ARGUMENT = "helper argument"
    UNRELEASED_REFERENCE = "unreleased reference"


STACK = "stack"
"""The name of every function's stack; offsets in it are told from r10."""


@dataclass(frozen=True, slots=True)
class Access:
    """One access to memory, and the region it was meant for when one could be told.

    `offset` counts from the start of the region's valid part. `before` says how many bytes before
    that start the access begins, `after` how many bytes past the valid end it reaches.
    """

    address: int
    size: int
    write: bool = False
    region: str = ""
    region_size: int = 0
    offset: int = 0
    before: int = 0
    after: int = 0

    def __str__(self) -> str:
        return f"{self.act}, {self.place}" if self.region else self.act

    @property
    def act(self) -> str:
        """What was done where, such as "read of 4 bytes at 0x100000040"."""
        return f"{'write' if self.write else 'read'} of {_bytes(self.size)} at {self.address:#x}"

    @property
    def place(self) -> str:
        """Where the access lies relative to its region, in words; empty without a region."""
        if not self.region:
            return ""
        whole = f"{self.region} ({_bytes(self.region_size)})"
        if self.before:
            return f"{_bytes(self.before)} before the start of {whole}"
        if self.after:
            return f"{_bytes(self.after)} past the end of {whole}"
        if self.region == STACK:
            return f"r10{self.offset - self.region_size} of its stack"
        return f"offset {self.offset} of {whole}"


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine when a program was stopped.

    `pc` is the index of the instruction slot; `registers` holds r0 to r10, None where a register
    was never set; `register` is the one that held the offending value, or None; `trail` lists the
    latest instruction slots that ran, oldest first, `pc` the last of them; `calls` lists the slots
    of the calls that are under way, outermost first; `steps` counts instructions executed.
    """

    program: str
    pc: int
    registers: tuple[int | None, ...]
    register: int | None = None
    trail: tuple[int, ...] = ()
    calls: tuple[int, ...] = ()
    steps: int = 0

    @property
    def value(self) -> int | None:
        """What the offending register held."""
        return None if self.register is None else self.registers[self.register]


class Fault(Exception):  # noqa: N818 - it never reaches a user; FaultError does
    """An unsafe act of a program: its kind, a sentence, the access, and the moment it happened.

    Whoever raises it gives what it knows; the engine fills in `moment`.
    """

    def __init__(
        self, kind: FaultKind, reason: str, *, access: Access | None = None, moment: Moment | None = None
    ) -> None:
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = reason
        self.access = access
        self.moment = moment

    def __str__(self) -> str:
        if self.moment is None:
            return f"{self.kind}: {self.reason}"
        held = ""
        if self.moment.register is not None:
            held = f"; r{self.moment.register} held {register_text(self.moment.value)}"
        return f"insn {self.moment.pc}: {self.kind}: {self.reason}{held}"


def register_text(value: int | None) -> str:
    """Write a register's content as a report shows it."""
    return "nothing (never set)" if value is None else f"{value:#x}"


def _bytes(count: int) -> str:
    return f"{count} byte{'' if count == 1 else 's'}"
