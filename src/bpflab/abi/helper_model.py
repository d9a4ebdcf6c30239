"""What a helper is: its arguments, its return value, and who may call it.

The kinds follow what the verifier enforces (`enum bpf_arg_type` and `enum bpf_return_type` in the
kernel's include/linux/bpf.h).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.abi.prog_types import ProgType


class _Kind(StrEnum):
    """A word of the table, and what it means."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        """Make a member from its value and what it means."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class ArgumentKind(_Kind):
    """What the register of an argument must hold; `meaning` says it in words."""

    SCALAR = "scalar", "Any initialised value; a number."
    UNCHECKED = "unchecked", "Not looked at by the verifier; need not be initialised."
    ABSENT = "absent", "Not an argument for this type of program."
    CTX = "ctx", "The program's own context, unmodified."
    MAP_PTR = "map_ptr", "A map; the kinds below that speak of a map mean this one."
    MAP_KEY = "map_key", "Initialised memory of the map's key size."
    MAP_VALUE = "map_value", "Initialised memory of the map's value size."
    MAP_VALUE_UNINIT = "map_value_uninit", "Memory of the map's value size that the helper fills."
    MEM_READ = "mem_read", "Initialised memory that the helper reads."
    MEM_WRITE = "mem_write", "Initialised memory that the helper reads and writes."
    MEM_UNINIT = "mem_uninit", "Memory that the helper fills."
    SIZE = "size", "The size in bytes of a memory argument, more than 0."
    SIZE_OR_ZERO = "size_or_zero", "The size in bytes of a memory argument, may be 0."
    ALLOC_SIZE = "alloc_size", "A constant: the size in bytes of the memory that the helper returns."
    ALLOC_MEM = "alloc_mem", "The start of a record that ringbuf_reserve gave."
    CALLBACK = "callback", "A function of the program."
    CALLBACK_CTX = "callback_ctx", "A pointer into the stack that the callback is given."
    CONST_STR = "const_str", "A zero-ended text in a read-only map."
    DYNPTR = "dynptr", "An initialised dynptr on the stack."
    DYNPTR_UNINIT = "dynptr_uninit", "16 bytes of the stack that become a dynptr."
    SPIN_LOCK = "spin_lock", "A bpf_spin_lock in a map value."
    TIMER = "timer", "A bpf_timer in a map value."
    KPTR_DEST = "kptr_dest", "A kernel pointer's place in a map value."
    KPTR = "kptr", "A kernel object that the program holds a reference to."
    SOCK_COMMON = "sock_common", "A bpf_sock of any state, from the context or a helper."
    SOCKET = "socket", "A bpf_sock that is a full socket."
    BTF_SOCK_COMMON = "btf_sock_common", "A bpf_sock of any state, or a kernel socket by its BTF type."
    BTF_PTR = "btf_ptr", "A kernel object by its BTF type."
    PERCPU_BTF = "percpu_btf", "A per-CPU kernel variable."


class ReturnKind(_Kind):
    """What R0 holds after the call; `meaning` says it in words."""

    INTEGER = "integer", "A number; where the C type is signed, a negative one is an errno."
    VOID = "void", "Nothing: R0 cannot be read."
    MAP_VALUE = "map_value", "Memory of the map's value size."
    ALLOC_MEM = "alloc_mem", "A ring buffer record of the size that was asked for."
    DYNPTR_MEM = "dynptr_mem", "A part of a dynptr, of the size that was asked for."
    SOCKET = "socket", "A full socket, as a bpf_sock."
    TCP_SOCK = "tcp_sock", "A bpf_tcp_sock."
    SOCK_COMMON = "sock_common", "A socket of any state, as a bpf_sock."
    BTF_PTR = "btf_ptr", "A kernel object by its BTF type."
    MEM_OR_BTF = "mem_or_btf", "A kernel variable: memory, or an object by its BTF type."
    KPTR = "kptr", "The kernel object that was in the map value."


MEMORY_KINDS: Final = frozenset({ArgumentKind.MEM_READ, ArgumentKind.MEM_WRITE, ArgumentKind.MEM_UNINIT})
"""Memory whose size is fixed or stands in the next argument."""

SIZE_KINDS: Final = frozenset({ArgumentKind.SIZE, ArgumentKind.SIZE_OR_ZERO})
"""Arguments that size the memory argument before them."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument: its name and C type, and what the verifier wants in its register.

    `size` is the size in bytes of fixed memory, else 0. `sizes` names the memory argument that a size
    belongs to. `of` is the kernel structure of a BTF_PTR, or what a dynptr must lie over (`local`,
    `ringbuf`). `or_null`: a null pointer is fine. `release`: the program's hold on the object ends.
    """

    name: str
    c_type: str
    kind: ArgumentKind
    size: int = 0
    sizes: str = ""
    of: str = ""
    or_null: bool = False
    release: bool = False


@dataclass(frozen=True, slots=True)
class Return:
    """A return value: its C type, what R0 holds, the structure of a BTF_PTR, and whether it may be null."""

    c_type: str
    kind: ReturnKind
    of: str = ""
    or_null: bool = False


@dataclass(frozen=True, slots=True)
class Helper:
    """A helper, as one row of the table.

    `since` is the first kernel with this id. `programs` are the types that may call it on the kernel
    the table was measured on; older kernels allow fewer. `variants` holds, by program type, the
    arguments of another kind there, by name. `gpl_exempt` are types that need no GPL licence for it
    although `gpl_only` is set. `changes_packet`: pointers into the packet are invalid after the call.
    `packet_memory`: memory arguments may point into the packet.
    """

    id: int
    name: str
    category: str
    since: tuple[int, int]
    programs: frozenset[ProgType]
    arguments: tuple[Argument, ...]
    returns: Return
    description: str
    gpl_only: bool = False
    sleeps: bool = False
    changes_packet: bool = False
    packet_memory: bool = False
    gpl_exempt: frozenset[ProgType] = frozenset()
    variants: Mapping[ProgType, Mapping[str, Argument]] = field(default_factory=dict, hash=False)

    def allowed_in(self, prog_type: ProgType) -> bool:
        """Whether programs of this type may call it."""
        return prog_type in self.programs

    def needs_gpl(self, prog_type: ProgType) -> bool:
        """Whether a program of this type needs a GPL-compatible licence to call it."""
        return self.gpl_only and prog_type not in self.gpl_exempt

    def arguments_in(self, prog_type: ProgType) -> tuple[Argument, ...]:
        """Return the arguments as programs of this type pass them, from R1 on."""
        variant = self.variants.get(prog_type)
        if variant is None:
            return self.arguments
        given = (variant.get(argument.name, argument) for argument in self.arguments)
        return tuple(argument for argument in given if argument.kind is not ArgumentKind.ABSENT)

    def argument(self, name: str) -> Argument:
        """Return an argument by name; KeyError if there is none."""
        return {argument.name: argument for argument in self.arguments}[name]

    def size_of(self, name: str) -> Argument | None:
        """Return the argument that holds the size of a memory argument, None if its size is fixed."""
        return next((argument for argument in self.arguments if argument.sizes == name), None)

    @property
    def signature(self) -> str:
        """The declaration in C, with the prefix bpf_."""
        given = ", ".join(declaration(argument.c_type, argument.name) for argument in self.arguments)
        return f"{declaration(self.returns.c_type, 'bpf_' + self.name)}({given or 'void'})"


def declaration(c_type: str, name: str) -> str:
    """Join a C type and a name as C writes them: a star sticks to the name."""
    return f"{c_type}{name}" if c_type.endswith("*") else f"{c_type} {name}"
