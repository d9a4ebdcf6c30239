"""Programs of the simulated kernel: what PROG_LOAD was given, made ready for an engine."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

from bpflab.abi.flags import ProgStream
from bpflab.abi.insn import WideSource
from bpflab.asm.insn import encode
from bpflab.sim.lines import LineTable
from bpflab.sim.objects import KernelObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.abi.prog_types import ProgType
    from bpflab.asm.insn import Insn
    from bpflab.obj.btf import Btf
    from bpflab.sim.btf import SimBtf
    from bpflab.sim.engine import Program
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.maps.base import SimMap

GPL_LICENSES: Final = frozenset(
    {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}
)
"""Licenses that may call GPL-only helpers (linux/license.h)."""

MAP_SOURCES: Final = frozenset({WideSource.MAP_FD, WideSource.MAP_VALUE, WideSource.MAP_IDX, WideSource.MAP_IDX_VALUE})
TAG_SIZE: Final = 8


@dataclass(frozen=True, slots=True)
class Records:
    """Records that point into a program: their bytes, the size of one and their number."""

    data: bytes = b""
    size: int = 0
    count: int = 0

    def cut(self, size: int) -> bytes:
        """Return the records with their first `size` bytes each."""
        starts = range(0, self.count * self.size, self.size or 1)
        return b"".join(self.data[start : start + size] for start in starts)


@dataclass(frozen=True, slots=True)
class ProgSpec:
    """A program as it was asked for. `insns` are as they were given, with descriptors in them.

    `kernel_types` is what `attach_btf_id` refers to.
    """

    type: ProgType
    insns: tuple[Insn, ...]
    license: str = ""
    name: str = ""
    flags: int = 0
    expected_attach_type: int = 0
    ifindex: int = 0
    attach_btf_id: int = 0
    func_info: Records = Records()
    line_info: Records = Records()
    byteorder: ByteOrder = sys.byteorder
    kernel_types: Btf | None = None

    @property
    def gpl_compatible(self) -> bool:
        """Whether it may call helpers that are GPL only."""
        return self.license in GPL_LICENSES


class SimProgram(KernelObject):
    """A loaded program: its spec, the maps and BTF it keeps alive, and what the engine runs.

    `map_slots` gives, by instruction slot, the map that a wide load names. `run_count` and `run_ns`
    are statistics that whoever runs it keeps; `streams` is what it wrote for PROG_STREAM_READ_BY_FD,
    `processed` how many instructions the check looked at, `context_end` how far into its context it reaches;
    `returns_nothing` says that nobody looks at its r0, which it need not set.
    """

    kind: ClassVar[str] = "prog"

    def __init__(
        self,
        kernel: SimKernel,
        spec: ProgSpec,
        engine: Program,
        *,
        map_slots: dict[int, SimMap],
        bound: Sequence[SimMap] = (),
        btf: SimBtf | None = None,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.spec = spec
        self.engine = engine
        self.map_slots = map_slots
        self.maps: list[SimMap] = []
        self.btf = btf
        self.load_time = kernel.clock.now
        self.run_count = 0
        self.run_ns = 0
        self.processed = 0
        self.context_end = 0
        self.returns_nothing = False
        self.streams: dict[int, bytearray] = {stream: bytearray() for stream in ProgStream}
        for each in [*map_slots.values(), *bound]:
            self.bind(each)
        if btf is not None:
            btf.get()

    @property
    def type(self) -> ProgType:
        """The program's type."""
        return self.spec.type

    @property
    def name(self) -> str:
        """The name it was loaded under, up to 15 characters."""
        return self.spec.name

    def bind(self, target: SimMap) -> None:
        """Keep a map alive as long as the program; once is enough."""
        if target not in self.maps:
            target.get()
            self.maps.append(target)

    @cached_property
    def lines(self) -> LineTable:
        """The source lines of its instructions, from line info; empty without BTF."""
        return LineTable.read(self.spec.line_info, self.btf, self.kernel.machine.byteorder)

    @cached_property
    def digest(self) -> bytes:
        """The SHA-256 of its instructions, descriptors left out."""
        return program_digest(self.spec.insns, self.kernel.machine.byteorder)

    @property
    def tag(self) -> bytes:
        """The start of the digest, by which the kernel tells programs apart."""
        return self.digest[:TAG_SIZE]

    def xlated(self) -> bytes:
        """Its instructions as the kernel shows them: ids of maps in the place of descriptors."""
        shown = list(self.spec.insns)
        for slot, target in self.map_slots.items():
            value = shown[slot].src in {WideSource.MAP_VALUE, WideSource.MAP_IDX_VALUE}
            source = WideSource.MAP_VALUE if value else WideSource.MAP_FD
            shown[slot] = replace(shown[slot], src=source, imm=target.id)
        return encode(shown, self.kernel.machine.byteorder)

    def free(self) -> None:
        """Give back its maps and BTF, and leave the kernel's table."""
        self.kernel.programs.remove(self)
        self.engine.close()
        for target in self.maps:
            target.put()
        if self.btf is not None:
            self.btf.put()


def program_digest(insns: Sequence[Insn], byteorder: ByteOrder) -> bytes:
    """Hash instructions as Linux 6.18 does (kernel/bpf/core.c, bpf_prog_calc_tag)."""
    plain = list(insns)
    for slot, insn in enumerate(insns):
        if insn.is_wide and insn.src in MAP_SOURCES:
            plain[slot] = replace(insn, imm=0)
            plain[slot + 1] = replace(insns[slot + 1], imm=0)
    return hashlib.sha256(encode(plain, byteorder)).digest()
