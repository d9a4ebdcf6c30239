"""The layout of what a program gets as context, and of what a test run takes as one.

The structures are data in `context_tables`. Offsets and sizes are bytes, the same on every machine
except for the registers of KPROBE and PERF_EVENT programs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from bpflab.abi.context_tables import BESIDE, CONTEXT_OF_TYPE, PT_REGS, RUN_CONTEXT_OF_TYPE, STRUCTURES
from bpflab.abi.prog_types import ProgType
from bpflab.errors import ArgumentError, UnknownArchitectureError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIZES: Final = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "s32": 4, "be16": 2, "be32": 4, "net16": 4, "ptr": 8}
_NETWORK_BYTES: Final = {"be16": 2, "be32": 4, "net16": 2}
_MEMBER: Final = re.compile(r"(?P<name>\w+)(?P<settable>\+?):(?P<type>\w+)(\[(?P<count>\d+)\])?(@(?P<at>\d+))?")

MAX_TRACING_ARGS: Final = 12
"""How many 8-byte arguments a raw tracepoint or tracing program may read (MAX_BPF_FUNC_ARGS)."""


@dataclass(frozen=True, slots=True)
class ContextField:
    """A member of a context structure.

    `size` is that of one element in bytes, `count` the length of an array or 0 for a single value.
    `network_bytes` says how many low bytes of the value stand in network byte order: 0, 2 or 4.
    `settable`: a test run may give it a value; where it is not settable anything but zero is EINVAL. `code` is the
    member as a format of the `struct` module, without byte order: `I`, `5I`, `i`.
    """

    name: str
    offset: int
    size: int
    count: int = 0
    signed: bool = False
    pointer: bool = False
    network_bytes: int = 0
    settable: bool = False
    code: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        letter = {1: "B", 2: "H", 4: "I", 8: "Q"}[self.size]
        object.__setattr__(self, "code", f"{self.count or ''}{letter.lower() if self.signed else letter}")

    @property
    def end(self) -> int:
        """The offset of the first byte after the member."""
        return self.offset + self.size * max(self.count, 1)


@dataclass(frozen=True, slots=True)
class ContextLayout:
    """A context structure: its name in C, its size in bytes, its members in order of declaration.

    Members of a union share an offset.
    """

    name: str
    size: int
    fields: tuple[ContextField, ...]
    _by_name: dict[str, ContextField] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {member.name: member for member in self.fields})

    def field(self, name: str) -> ContextField:
        """Return the member of that name; ArgumentError with the known names if there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            known = ", ".join(self._by_name)
            raise ArgumentError(f"{self.name} has no field {name!r}; its fields are {known}.") from None

    def at(self, offset: int) -> ContextField | None:
        """Return the first member that covers a byte, or None in a hole and past the end."""
        return next((member for member in self.fields if member.offset <= offset < member.end), None)

    @property
    def settable(self) -> tuple[ContextField, ...]:
        """The members that a test run may set."""
        return tuple(member for member in self.fields if member.settable)


def layout(name: str, architecture: str = "x86_64") -> ContextLayout:
    """Return a structure by its name in C, such as `xdp_md`; ArgumentError with the known names if unknown.

    The architecture matters to `pt_regs` and `bpf_perf_event_data` alone.
    """
    if name in _REGISTER_STRUCTURES:
        return _register_layout(name, architecture)
    if name not in STRUCTURES:
        known = ", ".join((*STRUCTURES, *_REGISTER_STRUCTURES))
        raise ArgumentError(f"No context structure is called {name!r}; there are {known}.")
    return _fixed_layout(name)


@cache
def simulated_layout(name: str) -> ContextLayout:
    """Return a structure with what the simulated kernel has behind it, which no program sees."""
    found = layout(name)
    if name not in BESIDE:
        return found
    start = found.size + -found.size % 8
    behind = tuple(replace(each, offset=each.offset + start) for each in _members(BESIDE[name]))
    return ContextLayout(name, behind[-1].end, (*found.fields, *behind))


def layout_of(prog_type: ProgType, architecture: str = "x86_64") -> ContextLayout | None:
    """Return what R1 points to when a program of this type starts.

    None where that is not a fixed structure: TRACEPOINT (the event's record), SYSCALL (what the
    caller passed), EXT (that of the program it extends).
    """
    name = CONTEXT_OF_TYPE.get(prog_type)
    return None if name is None else layout(name, architecture)


def run_layout_of(prog_type: ProgType) -> ContextLayout | None:
    """Return what `ctx_in` of a test run holds, or None if this type takes no fixed structure there.

    It differs from `layout_of` for FLOW_DISSECTOR (flow keys) and NETFILTER (hook state). SYSCALL
    takes any bytes up to 65535.
    """
    name = RUN_CONTEXT_OF_TYPE.get(prog_type)
    return None if name is None else layout(name)


def can_test_run(prog_type: ProgType) -> bool:
    """Whether PROG_TEST_RUN runs this type; others answer 524, ENOTSUPP.

    TRACING programs run if they are fentry, fexit or fmod_ret, STRUCT_OPS those of `bpf_dummy_ops`.
    """
    return prog_type in RUN_CONTEXT_OF_TYPE or prog_type in _RUN_WITHOUT_LAYOUT


_RUN_WITHOUT_LAYOUT: Final = frozenset({ProgType.SYSCALL, ProgType.TRACING, ProgType.STRUCT_OPS})
_REGISTER_STRUCTURES: Final = ("pt_regs", "bpf_perf_event_data")


@cache
def _fixed_layout(name: str) -> ContextLayout:
    return _assemble(name, tuple(_members(STRUCTURES[name])))


@cache
def _register_layout(name: str, architecture: str) -> ContextLayout:
    if architecture not in PT_REGS:
        known = ", ".join(PT_REGS)
        raise UnknownArchitectureError(f"No registers are known for {architecture!r}; known are {known}.")
    *names, code = PT_REGS[architecture].split()
    text = " ".join(f"{register}{code}" for register in names)
    if name == "bpf_perf_event_data":
        text = f"regs{code}[{len(names)}] sample_period:u64 addr:u64"
    return _assemble(name, tuple(_members(text)))


def _members(text: str) -> Iterator[ContextField]:
    position = 0
    for match in _MEMBER.finditer(text):
        size = _SIZES[match["type"]]
        offset = position + -position % size if match["at"] is None else int(match["at"])
        member = ContextField(
            name=match["name"],
            offset=offset,
            size=size,
            count=int(match["count"] or 0),
            signed=match["type"].startswith("s"),
            pointer=match["type"] == "ptr",
            network_bytes=_NETWORK_BYTES.get(match["type"], 0),
            settable=bool(match["settable"]),
        )
        position = member.end
        yield member


def _assemble(name: str, members: tuple[ContextField, ...]) -> ContextLayout:
    end = max(member.end for member in members)
    return ContextLayout(name, end + -end % max(member.size for member in members), members)
