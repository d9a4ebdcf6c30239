"""The registers of a probed function: `PtRegs`, by name or by calling convention, and what a perf event adds."""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, Self

from bpflab.abi.architectures import current
from bpflab.abi.calling import CONVENTIONS, SHORT_NAMES, Convention, convention
from bpflab.abi.context import layout
from bpflab.arguments import near_names
from bpflab.contexts.raw import WORD, RawContext
from bpflab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import SupportsInt

    from bpflab.abi.context import ContextLayout
    from bpflab.abi.layout import ByteOrder


class PtRegs(RawContext):
    """`bpf_user_pt_regs_t`: what a kprobe, kretprobe or uprobe gets, registers by their names.

    `arch` is an architecture such as `x86_64` or `arm64`, this machine's if it is not given: the one that the
    program's PT_REGS macros were compiled for. Values are numbers or objects of the simulated world. What was not
    given is 0. `call` and `syscall` put arguments where the calling convention has them.
    """

    def __init__(self, arch: str = "", **registers: SupportsInt) -> None:
        self.arch = arch or current().name
        self.convention: Convention = convention(self.arch)
        self._values = {self._name(name): _number(name, value) for name, value in registers.items()}
        super().__init__()

    @classmethod
    def call(
        cls,
        args: Sequence[SupportsInt] = (),
        ret: SupportsInt | None = None,
        *,
        arch: str = "",
        ip: SupportsInt = 0,
        sp: SupportsInt = 0,
        **registers: SupportsInt,
    ) -> Self:
        """Return the registers as a function is entered with `args`, or as it returns `ret`.

        `ip` and `sp` are the addresses of the function and of the stack; InputError for more arguments than there
        are registers.
        """
        regs = cls(arch, **registers)
        regs._place(regs.convention.arguments, args)
        named = {regs.convention.ip: ip, regs.convention.sp: sp} | (
            {} if ret is None else {regs.convention.result: ret}
        )
        regs._values |= {
            name: int(value) & WORD for name, value in named.items() if int(value) or name not in regs._values
        }
        return regs

    @classmethod
    def syscall(cls, number: int, args: Sequence[SupportsInt] = (), *, arch: str = "") -> Self:
        """Return the registers of a process that makes a system call.

        A kprobe on a system call's function gets their address as its first argument on x86_64, arm64 and s390x:
        `PtRegs.call([world.kernel_memory(PtRegs.syscall(...).to_bytes())])`.
        """
        regs = cls(arch)
        regs._place(regs.convention.system_call, args)
        regs._values[regs.convention.number] = number
        return regs

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, byteorder: ByteOrder = sys.byteorder) -> Self:
        """Read registers that came out of a run; their number tells the architecture."""
        raw = bytes(data)
        arch = architecture_of(len(raw))
        members = layout("pt_regs", arch)
        return cls(arch, **dict(zip(_names(members), _unpack(members, raw, byteorder), strict=True)))

    def to_bytes(self, byteorder: ByteOrder = sys.byteorder) -> bytes:
        """Return the structure's bytes; InputError for a value that a register of 32 bits cannot hold."""
        members = layout("pt_regs", self.arch)
        buffer = bytearray(members.size)
        for name, value in self._values.items():
            field = members.field(name)
            buffer[field.offset : field.end] = self._fitted(name, value, field.size).to_bytes(field.size, byteorder)
        return bytes(buffer)

    def _fitted(self, name: str, value: int, size: int) -> int:
        """Return a number as a register of so many bytes holds it: negative ones end with their lowest bits."""
        bits = size * 8
        if value >> bits and value >> (bits - 1) != WORD >> (bits - 1):
            raise InputError(
                f"{name}={value:#x} does not fit a register of {self.arch}, which has {bits} bits; addresses of the "
                "simulated kernel have 64. Compile for another architecture, and name it: PtRegs(arch='arm64', ...)."
            )
        return value & ((1 << bits) - 1)

    def argument(self, index: int) -> int:
        """Return the argument of a call at a position, the first being 0."""
        return self._values.get(self.convention.arguments[index], 0)

    def offset(self, register: str) -> int:
        """Return the byte of the structure at which a register begins; InputError when there is none of the name."""
        return layout("pt_regs", self.arch).field(self._name(register)).offset

    @property
    def ret(self) -> int:
        """What the function returns."""
        return self._values.get(self.convention.result, 0)

    @property
    def ip(self) -> int:
        """The instruction pointer."""
        return self._values.get(self.convention.ip, 0)

    @property
    def sp(self) -> int:
        """The stack pointer."""
        return self._values.get(self.convention.sp, 0)

    def __getattr__(self, name: str) -> int:
        if name.startswith("_") or name in {"arch", "convention"}:
            raise AttributeError(name)
        known = SHORT_NAMES.get(self.arch, {}).get(name, name)
        if known not in _names(layout("pt_regs", self.arch)):
            raise AttributeError(f"{self.arch} has no register {name!r}{near_names(name, self._known())}")
        return self._values.get(known, 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PtRegs) and (self.arch, self.to_bytes()) == (other.arch, other.to_bytes())

    def __hash__(self) -> int:
        return hash((self.arch, self.to_bytes()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value:#x}" for name, value in self._values.items() if value)
        return f"PtRegs({self.arch!r}{', ' if shown else ''}{shown})"

    def _name(self, name: str) -> str:
        known = SHORT_NAMES.get(self.arch, {}).get(name, name)
        if known not in _names(layout("pt_regs", self.arch)):
            raise InputError(f"PtRegs({name}=...): {self.arch} has no such register{near_names(name, self._known())}")
        return known

    def _known(self) -> list[str]:
        return [*_names(layout("pt_regs", self.arch)), *SHORT_NAMES.get(self.arch, {})]

    def _place(self, registers: Sequence[str], args: Sequence[SupportsInt]) -> None:
        if len(args) > len(registers):
            raise InputError(
                f"{len(args)} arguments were given; {self.arch} passes {len(registers)} in registers. Lay the "
                "others out on the stack: sp=world.kernel_memory(...)."
            )
        self._values |= {name: _number(name, value) for name, value in zip(registers, args, strict=False)}


class PerfEventData(RawContext):
    """`struct bpf_perf_event_data`: the registers where a perf event fired, its period and the address of the data."""

    def __init__(self, regs: PtRegs | None = None, *, sample_period: int = 0, addr: SupportsInt = 0) -> None:
        self.regs = regs if regs is not None else PtRegs()
        self.sample_period = sample_period
        self.addr = int(addr)
        super().__init__()

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, byteorder: ByteOrder = sys.byteorder) -> Self:
        """Read what came out of a run."""
        raw = bytes(data)
        period, addr = (int.from_bytes(raw[at : at + 8], byteorder) for at in (len(raw) - 16, len(raw) - 8))
        return cls(PtRegs.from_bytes(raw[:-16], byteorder), sample_period=period, addr=addr)

    def to_bytes(self, byteorder: ByteOrder = sys.byteorder) -> bytes:
        """Return the structure's bytes."""
        numbers = (value & WORD for value in (self.sample_period, self.addr))
        return self.regs.to_bytes(byteorder) + b"".join(number.to_bytes(8, byteorder) for number in numbers)

    def __repr__(self) -> str:
        return f"PerfEventData({self.regs!r}, sample_period={self.sample_period}, addr={self.addr:#x})"


def architecture_of(size: int) -> str:
    """Return the architecture whose registers take so many bytes; InputError when there is none."""
    sizes = {layout("pt_regs", arch).size: arch for arch in CONVENTIONS}
    if size not in sizes:
        known = ", ".join(f"{arch} {count}" for count, arch in sizes.items())
        raise InputError(f"{size} bytes are the registers of no known architecture; expected {known}.")
    return sizes[size]


def _number(name: str, value: SupportsInt) -> int:
    if isinstance(value, (str, bytes, float)) or not hasattr(value, "__int__"):
        raise InputError(
            f"{name}={value!r} in registers; expected a number, or an object of the simulated world. A text is "
            "laid out in memory first: world.user_memory(b'...')."
        )
    return int(value) & WORD


def _names(members: ContextLayout) -> tuple[str, ...]:
    return tuple(field.name for field in members.fields)


def _unpack(members: ContextLayout, raw: bytes, byteorder: ByteOrder) -> tuple[int, ...]:
    prefix = "<" if byteorder == "little" else ">"
    return struct.unpack(prefix + "".join(field.code for field in members.fields), raw)
