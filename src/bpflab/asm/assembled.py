"""An assembled program: its instructions, and the names that a loader still has to fill in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bpflab.abi.insn import CALL, CallSource, WideSource
from bpflab.arguments import near_names
from bpflab.asm.insn import encode
from bpflab.errors import AssemblyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.abi.layout import ByteOrder
    from bpflab.asm.insn import Insn

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MapRef:
    """A wide load at slot `insn` that waits for the fd of the map `name`.

    `kind` is MAP_FD (the map itself) or MAP_VALUE (the byte at `offset` of its value).
    """

    insn: int
    name: str
    kind: WideSource
    offset: int = 0


@dataclass(frozen=True, slots=True)
class KfuncRef:
    """A call at slot `insn` that waits for the BTF id of the kernel function `name`."""

    insn: int
    name: str


@dataclass(frozen=True, slots=True)
class Assembled:
    """A program as the assembler made it. Indexes count eight-byte slots from 0.

    `labels` and `subprograms` say where names stand (subprograms the other way round: the name by its
    first slot, with the program itself at 0). `data` holds the bytes of each data section; a section
    becomes the one value of an array map of that name. `lines` gives the line, from 1, of each slot
    that came from text.
    """

    insns: tuple[Insn, ...]
    byteorder: ByteOrder
    map_refs: tuple[MapRef, ...] = ()
    kfunc_refs: tuple[KfuncRef, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    subprograms: Mapping[int, str] = field(default_factory=dict)
    data: Mapping[str, bytes] = field(default_factory=dict)
    lines: Mapping[int, int] = field(default_factory=dict)

    @property
    def code(self) -> bytes:
        """The program's bytes, with 0 where a map's fd or a kfunc's id is missing."""
        return encode(self.insns, self.byteorder)

    @property
    def maps(self) -> tuple[str, ...]:
        """The names of the maps it refers to, in order of first use."""
        return tuple(dict.fromkeys(ref.name for ref in self.map_refs))

    @property
    def helpers(self) -> Mapping[int, str]:
        """The helper that each call of one names, by slot; `helper#1234` for an unknown id."""
        calls = ((index, insn) for index, insn in enumerate(self.insns) if insn.opcode == CALL)
        return {index: _helper_name(insn.imm) for index, insn in calls if insn.src == CallSource.HELPER}

    def relocated(self, map_fd: Mapping[str, int] = _NOTHING, kfunc_id: Mapping[str, int] = _NOTHING) -> bytes:
        """Return the bytes to load, with the fds of maps and the BTF ids of kfuncs filled in.

        Raises AssemblyError for a map or kfunc that the program refers to and the mapping lacks.
        """
        insns = list(self.insns)
        for ref in self.map_refs:
            insns[ref.insn] = replace(insns[ref.insn], imm=_given("map", ref.name, ref.insn, map_fd))
        for call in self.kfunc_refs:
            insns[call.insn] = replace(insns[call.insn], imm=_given("kfunc", call.name, call.insn, kfunc_id))
        return encode(insns, self.byteorder)

    def __str__(self) -> str:
        """Return the program as text that assembles to the same program."""
        from bpflab.asm.show import show_assembled

        return show_assembled(self)


def _given(what: str, name: str, insn: int, numbers: Mapping[str, int]) -> int:
    if name not in numbers:
        raise AssemblyError(f"instruction {insn} refers to the {what} {name!r}{near_names(name, numbers)}")
    return numbers[name]


def _helper_name(helper_id: int) -> str:
    from bpflab.abi.helpers import helper
    from bpflab.errors import UnknownHelperError

    try:
        return helper(helper_id).name
    except UnknownHelperError:
        return f"helper#{helper_id}"
