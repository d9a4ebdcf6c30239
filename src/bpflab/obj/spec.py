"""What an object file says, before anything is loaded.

The contract with the loader, which turns a spec into live maps and programs in this order:

1. if `ObjectSpec.needs_kernel_types`, go on with `bpflab.obj.relocate(spec, btf)` of the kernel's BTF, and if
   `needs_config` with `bpflab.obj.configure`;
2. load `ObjectSpec.btf` (BTF_LOAD), if there is some;
3. create every map (inner maps first, an `inner` spec being the template of its outer map), write
   `data` to key 0 of data maps and freeze those that say `frozen`;
4. for each program with `autoload`, write the fd of the map, or of the module's BTF, into the imm of the instruction
   that each relocation names (`bpflab.obj.insns.patch_imm`), then PROG_LOAD, with the BTF of `modules` in `fd_array`;
5. fill `MapSpec.values`, now that the maps and programs they name have fds.

Everything else of linking is done when a spec is read: subprograms stand behind their program, calls
have their offsets, and instructions that load a map have their src_reg and offset in place.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

from bpflab.errors import ObjectError
from bpflab.obj.relocations import CoreRelocation, Extern, ExternKind, Poisoned, Relocation, RelocationKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpflab.abi.attach_types import AttachType
    from bpflab.abi.layout import ByteOrder
    from bpflab.abi.map_types import MapType
    from bpflab.abi.prog_types import ProgType
    from bpflab.obj.struct_ops import OpsSpec

_Entry = TypeVar("_Entry")

__all__ = [
    "CoreRelocation",
    "Extern",
    "ExternKind",
    "FunctionSpec",
    "MapSpec",
    "ObjectSpec",
    "Pinning",
    "Poisoned",
    "ProgramSpec",
    "Relocation",
    "RelocationKind",
    "SourceLine",
    "Variable",
]


class Pinning(IntEnum):
    """Where a map is pinned when it is created (`enum libbpf_pin_type` of bpf_helpers.h)."""

    NONE = 0
    BY_NAME = 1


@dataclass(frozen=True, slots=True)
class SourceLine:
    """The source of the instructions from `insn` on, up to the next SourceLine.

    `file` is as the compiler recorded it, `line` and `column` count from 1 (0: unknown), `text` is
    the line itself, or empty.
    """

    insn: int
    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function inside a program: its name, its first slot, and its BTF type id (0: none)."""

    name: str
    insn: int
    type_id: int = 0


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable in a data map: byte offset and size within the value; BTF type id (0: unknown)."""

    name: str
    offset: int
    size: int
    type_id: int = 0


@dataclass(slots=True)
class MapSpec:
    """A map as its definition says; sizes, flags and data may be changed until it is created.

    `name` is what the program's source calls it, or the section for a data map (`.rodata`);
    `kernel_name` is what MAP_CREATE gets: at most 15 characters. `max_entries` 0 in a
    PERF_EVENT_ARRAY means one for each possible CPU. `values` initialises slots by index with the name
    of a map (map of maps) or a program (PROG_ARRAY) of this object. `btf_key_type_id` and
    `btf_value_type_id` (0: none) serve codecs for every map; the kernel takes them for some map types
    only, see `create_type_ids`. A data map has its content in `data` (its length is `value_size`), an ARENA that of
    its variables in `arena`, which lie at its start.
    """

    name: str
    type: MapType
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    numa_node: int = 0
    map_extra: int = 0
    pinning: Pinning = Pinning.NONE
    inner: MapSpec | None = None
    values: dict[int, str] = field(default_factory=dict)
    btf_key_type_id: int = 0
    btf_value_type_id: int = 0
    data: bytearray | None = None
    frozen: bool = False
    variables: Mapping[str, Variable] = field(default_factory=dict)
    arena: bytearray = field(default_factory=bytearray)
    kernel_name: str = ""

    def __post_init__(self) -> None:
        if not self.kernel_name:
            self.kernel_name = self.name[:15]

    @property
    def create_type_ids(self) -> tuple[int, int]:
        """The BTF ids of key and value to give to MAP_CREATE: (0, 0) where it refuses what there is."""
        from bpflab.abi.map_btf import WITHOUT_BTF

        half = self.data is None and self.key_size and bool(self.btf_key_type_id) != bool(self.btf_value_type_id)
        return (0, 0) if half or self.type in WITHOUT_BTF else (self.btf_key_type_id, self.btf_value_type_id)


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """One program, its subprograms behind it, ready but for what `relocations` name.

    `insns` is in the object's byte order. `type` is UNSPEC if libbpf's section names do not cover
    `section` (`bpflab.abi.sections` explains why, in words). `implements` is the struct of operations and its member
    that a program of type STRUCT_OPS is. `core_relocations` are to be answered before the
    program is loaded, `poisoned` names those for which there was no answer. `attach_to` is what follows the slash of
    the section: a kernel function, tracepoint, LSM hook or `binary:symbol`. `prog_flags` are further flags of
    PROG_LOAD (`ProgFlag`). `func_info` and
    `line_info` are records for PROG_LOAD, of the given sizes, with offsets into this program.
    """

    name: str
    section: str
    type: ProgType
    attach_type: AttachType | None
    attach_to: str | None
    insns: bytes
    license: str
    relocations: tuple[Relocation, ...] = ()
    core_relocations: tuple[CoreRelocation, ...] = ()
    poisoned: tuple[Poisoned, ...] = ()
    sleepable: bool = False
    xdp_frags: bool = False
    prog_flags: int = 0
    autoload: bool = True
    func_info: bytes = b""
    func_info_rec_size: int = 8
    line_info: bytes = b""
    line_info_rec_size: int = 16
    functions: tuple[FunctionSpec, ...] = ()
    lines: tuple[SourceLine, ...] = ()
    implements: tuple[str, str] | None = None

    @property
    def needs_kernel_types(self) -> bool:
        """Whether it asks about the kernel's types or symbols."""
        return bool(self.core_relocations) or any(each.kind.about_kernel for each in self.relocations)

    def line_at(self, insn: int) -> SourceLine | None:
        """Find the source line that produced a slot, or None where the compiler gave no line."""
        found = bisect_right(self.lines, insn, key=lambda line: line.insn)
        return self.lines[found - 1] if found else None

    def function_at(self, insn: int) -> FunctionSpec | None:
        """Find the function that a slot belongs to."""
        found = bisect_right(self.functions, insn, key=lambda function: function.insn)
        return self.functions[found - 1] if found else None


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """A whole object: its maps, programs and structs of operations by name, in the order of the file.

    `btf` is the object's BTF, made fit for BTF_LOAD; `version` the number of its `version` section; `externs` what
    the kernel is to provide, by name. `modules` are the kernel modules whose functions the programs call, once
    `relocate` has found them: the BTF of the first is entry 1 of PROG_LOAD's `fd_array`, and so on; entry 0 is unused.
    """

    name: str
    maps: dict[str, MapSpec]
    programs: dict[str, ProgramSpec]
    license: str
    btf: bytes | None
    byteorder: ByteOrder
    version: int = 0
    path: str | None = None
    externs: Mapping[str, Extern] = field(default_factory=dict)
    ops: dict[str, OpsSpec] = field(default_factory=dict)
    modules: tuple[str, ...] = ()

    @property
    def needs_kernel_types(self) -> bool:
        """Whether a program asks about the kernel's types or symbols, which `relocate` has to answer first."""
        return any(program.needs_kernel_types for program in self.programs.values())

    @property
    def needs_config(self) -> bool:
        """Whether programs read values of the kernel's configuration, which `configure` has to fill in."""
        return any(each.kind is ExternKind.KCONFIG for each in self.externs.values())

    @property
    def needs_addresses(self) -> frozenset[str]:
        """The kernel's symbols whose addresses `relocate` is to be given."""
        return frozenset(name for name, each in self.externs.items() if each.kind is ExternKind.ADDRESS)

    def map(self, name: str) -> MapSpec:
        """Look up a map by name; ObjectError lists the names there are."""
        return _named(self.maps, name, "map", self)

    def program(self, name: str) -> ProgramSpec:
        """Look up a program by name; ObjectError lists the names there are."""
        return _named(self.programs, name, "program", self)


def _named(entries: Mapping[str, _Entry], name: str, noun: str, spec: ObjectSpec) -> _Entry:
    if name not in entries:
        raise ObjectError(f"{spec.path or spec.name} has no {noun} {name!r}; it has {_listed(entries)}.")
    return entries[name]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
