"""What is left open in a program's instructions, and who closes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpflab.abi.core import CoreKind


class RelocationKind(StrEnum):
    """What is to be written into the instruction that a relocation names.

    The first three are the loader's; the others are the kernel's symbols, which `relocate` resolves.
    """

    MAP_FD = "map_fd"
    """imm = fd of the map `symbol` (src_reg is BPF_PSEUDO_MAP_FD already)."""
    MAP_VALUE = "map_value"
    """imm = fd of the map `symbol`; the second slot's imm holds `offset` already."""
    MODULE_BTF = "module_btf"
    """imm = fd of the BTF of the kernel module `symbol`: the second half of a load whose first has the BTF id there."""
    KFUNC_CALL = "kfunc_call"
    """imm = BTF id of the kernel function `symbol` (src_reg is BPF_PSEUDO_KFUNC_CALL already)."""
    KSYM = "ksym"
    """imm = BTF id of the kernel variable or function `symbol` (src_reg is BPF_PSEUDO_BTF_ID already)."""
    KSYM_ADDRESS = "ksym_address"
    """Both slots' imm = address of the kernel symbol `symbol`."""

    @property
    def about_kernel(self) -> bool:
        """Whether `symbol` is the kernel's, and has to be found there."""
        return self not in {RelocationKind.MAP_FD, RelocationKind.MAP_VALUE, RelocationKind.MODULE_BTF}

    @property
    def about_map(self) -> bool:
        """Whether `symbol` is a map of the object."""
        return self in {RelocationKind.MAP_FD, RelocationKind.MAP_VALUE}


@dataclass(frozen=True, slots=True)
class Relocation:
    """One thing that the object does not say.

    `insn` counts 8-byte slots from the start of the program; `symbol` names a map of the object, a symbol of
    the kernel, or a module of it; `offset` is a byte offset into the map's value (0 for the map itself).
    """

    insn: int
    kind: RelocationKind
    symbol: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class CoreRelocation:
    """A question that an instruction has about the kernel's types; `relocate` answers it.

    `type_id` is in the object's BTF, `access` the way into it as clang writes it (`0:5:1`).
    """

    insn: int
    kind: CoreKind
    type_id: int
    access: str


@dataclass(frozen=True, slots=True)
class Poisoned:
    """An instruction that `relocate` replaced by a call of helper 195896080, which the verifier refuses if reached.

    `reason` says what the kernel lacks.
    """

    insn: int
    reason: str


class ExternKind(StrEnum):
    """What the kernel is to provide."""

    KCONFIG = "kconfig"
    """A value of its configuration, in the map `.kconfig`."""
    KSYM = "ksym"
    """A variable, by its BTF."""
    ADDRESS = "address"
    """The address of a symbol that is declared without a type."""
    FUNCTION = "function"
    """A function that programs may call (a kfunc)."""


@dataclass(frozen=True, slots=True)
class Extern:
    """A declaration with __kconfig or __ksym.

    `type_id` is the declared type in the object's BTF. A `weak` one may be missing: a value is 0 then, an
    address null, and a call poisoned.
    """

    name: str
    kind: ExternKind
    type_id: int
    weak: bool
