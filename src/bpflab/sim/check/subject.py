"""What the load-time check is told about a program, and what it gives back.

The kernel around it makes a `Subject` from the attr of PROG_LOAD, the maps the program names and
the rules of its hook; `check` answers with `Checked` or raises `Refused`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from bpflab.abi.helpers import HelperTable, table

if TYPE_CHECKING:
    from bpflab.abi.flags import MapFlag
    from bpflab.abi.kfuncs import KfuncFlag
    from bpflab.abi.layout import ByteOrder
    from bpflab.abi.map_types import MapType
    from bpflab.abi.prog_types import ProgType
    from bpflab.asm.insn import Insn
    from bpflab.obj.btf import Btf
    from bpflab.obj.btf_types import FuncProto
    from bpflab.obj.special_fields import SpecialField
    from bpflab.sim.check.types import Kind


@dataclass(frozen=True, slots=True)
class CtxField:
    """An access to the context that a hook allows, and where the simulated context keeps the bytes.

    `kind` is what a load yields (`Kind.SCALAR` for every store), `nullable` whether it may be 0, `btf` the kernel's
    type that a typed pointer points to.
    `offset` and `size` are those of the simulated context; `rewrite` puts them into the instruction.
    """

    kind: Kind
    offset: int
    size: int
    nullable: bool = False
    btf: int = 0


CtxRule: TypeAlias = Callable[[int, int, bool], CtxField | None]
"""A hook's rule: offset, size in bytes and whether it is a store in; None for what is not allowed."""


@dataclass(frozen=True, slots=True)
class MapFacts:
    """What the check needs to know of a map. `id` tells maps apart.

    `frozen` is the content of a map that neither the program nor user space can change any more
    (.rodata); the check reads constants from it as the kernel does. Empty otherwise. `value_type` is the value's type
    in the BTF that it was made with, which is the program's own where both are of one object; `pointers` are the
    offsets in a value of pointers to objects, with their types, and `per_cpu` those of objects that each CPU has;
    `res_lock` and `work` are the offsets of a bpf_res_spin_lock and of a bpf_wq. `fields` are all that belong to the
    kernel.
    """

    id: int
    type: MapType
    key_size: int
    value_size: int
    max_entries: int
    flags: MapFlag
    name: str = ""
    frozen: bytes = b""
    value_type: int = 0
    pointers: tuple[tuple[int, int], ...] = ()
    per_cpu: frozenset[int] = frozenset()
    res_lock: int | None = None
    work: int | None = None
    fields: tuple[SpecialField, ...] = ()
    inner: MapFacts | None = None


@dataclass(frozen=True, slots=True)
class MapReference:
    """What a 64-bit immediate load names: a map, or with `offset` a place in an array map's value."""

    map: MapFacts
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class SymbolFacts:
    """What a 64-bit immediate load names in the kernel: a variable or function by its BTF id.

    `type_id` is a variable's type, 0 for a function; `size` that of a variable which is no structure.
    """

    type_id: int = 0
    size: int = 0
    per_cpu: bool = False
    is_struct: bool = False


@dataclass(frozen=True, slots=True)
class KfuncFacts:
    """A kernel function that is called: its BTF id, name, flags, and prototype in the kernel's types."""

    id: int
    name: str
    flags: KfuncFlag
    proto: FuncProto


@dataclass(frozen=True, slots=True)
class Subject:
    """A program as PROG_LOAD gives it.

    `context` is the hook's rule for its context, `helper_allowed` its rule for helpers by id; what
    those take and give stands in `helpers`. `maps` gives the map that the wide load at a slot names,
    `names` the functions' names by first slot, `globals` the functions that are checked on their
    own: by first slot, the registers that hold the context. `return_range` are the least and greatest
    r0 that the hook takes, None for any. `packet_writable`: stores to the packet are allowed.
    `func_info`: it came with BTF for its functions. `kernel_types` and `own_types` are those of the kernel and of
    the program; `writable_types` says that this program may write to the kernel's objects; `returns_nothing` that
    nobody looks at its r0. `kfuncs` are the kernel functions that it calls, by the slot of the call, `symbols` what
    else of the kernel its wide loads name. `exception_callback` is the first slot of the function that is given what
    the program throws, 0 without one.
    """

    insns: tuple[Insn, ...]
    type: ProgType
    context: CtxRule
    helper_allowed: Callable[[int], bool]
    helpers: HelperTable = field(default_factory=table)
    maps: Mapping[int, MapReference] = field(default_factory=dict)
    gpl: bool = True
    strict_alignment: bool = False
    return_range: tuple[int, int] | None = None
    packet_writable: bool = True
    names: Mapping[int, str] = field(default_factory=dict)
    globals: Mapping[int, frozenset[int]] = field(default_factory=dict)
    byteorder: ByteOrder = sys.byteorder
    sleepable: bool = False
    func_info: bool = False
    kernel_types: Btf | None = None
    own_types: Btf | None = None
    writable_types: bool = False
    returns_nothing: bool = False
    kfuncs: Mapping[int, KfuncFacts] = field(default_factory=dict)
    symbols: Mapping[int, SymbolFacts] = field(default_factory=dict)
    exception_callback: int = 0

    def types_of(self, btf_id: int) -> Btf | None:
        """Return where a typed pointer's type is defined: the kernel's types, or (below 0) the program's own."""
        return self.own_types if btf_id < 0 else self.kernel_types


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check found out about a program that may be loaded.

    `context` gives the context access of each slot that has one; `stack` the bytes of stack that
    each function uses, by its first slot; `log` the verifier's log; `processed` how many instructions it
    looked at, each as often as it came by. `probes` are the loads through typed pointers, which read 0 where
    nothing is.
    """

    context: Mapping[int, CtxField]
    stack: Mapping[int, int]
    log: str = ""
    processed: int = 0
    probes: frozenset[int] = frozenset()


class Refused(Exception):  # noqa: N818 - the kernel's answer to a load, not an error of this library
    """The program may not be loaded: a positive errno, the verifier's log, and the slot or None."""

    def __init__(self, errno: int, log: str, slot: int | None = None) -> None:
        super().__init__(errno, log)
        self.errno = errno
        self.log = log
        self.slot = slot
