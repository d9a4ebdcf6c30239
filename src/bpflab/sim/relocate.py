"""What 64-bit immediate loads of a program name: maps by descriptor or index, values in them, and kernel symbols.

As the verifier's `resolve_pseudo_ldimm64` (kernel/bpf/verifier.c): each is checked, and gets the
address that the program will see.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from bpflab.abi.errno import Errno
from bpflab.abi.insn import WideSource
from bpflab.sim import user
from bpflab.sim.btf import SimBtf
from bpflab.sim.maps.base import SimMap
from bpflab.sim.programs import MAP_SOURCES
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.symbols import symbol_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.asm.insn import Insn
    from bpflab.sim.check.subject import SymbolFacts
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.log import Log

FD_SIZE: Final = 4
MAX_BOUND: Final = ((1 << 32) - 1) // FD_SIZE
BY_INDEX: Final = frozenset({WideSource.MAP_IDX, WideSource.MAP_IDX_VALUE})
WITH_VALUE: Final = frozenset({WideSource.MAP_VALUE, WideSource.MAP_IDX_VALUE})
MAX_VALUE_OFFSET: Final = 1 << 29


@dataclass(slots=True)
class Addresses:
    """By slot: the number that each wide load yields, and the map or the kernel's variable that it names."""

    values: dict[int, int] = field(default_factory=dict)
    maps: dict[int, SimMap] = field(default_factory=dict)
    symbols: dict[int, SymbolFacts] = field(default_factory=dict)


class Resolver:
    """Finds what the wide loads of a program name; refuses, and says in the log why, what is not there."""

    def __init__(self, kernel: SimKernel, insns: Sequence[Insn], fd_array: int, log: Log) -> None:
        self.kernel = kernel
        self.insns = insns
        self.fd_array = fd_array
        self.log = log

    def resolve(self) -> Addresses:
        """Return the number of every wide load that names something."""
        found = Addresses()
        for slot, insn in enumerate(self.insns):
            if insn.is_wide and insn.src == WideSource.BTF_ID:
                module = self._second(slot).imm
                found.values[slot], found.symbols[slot] = symbol_of(self.kernel, insn.imm, module, self.log)
            elif insn.is_wide and insn.src not in {WideSource.IMM, WideSource.FUNC}:
                offset = self._offset(slot)
                target = self._map(insn)
                found.maps[slot] = target
                found.values[slot] = self._value(target, offset) if insn.src in WITH_VALUE else target.address
        return found

    def fd_at(self, index: int) -> int:
        """Read one descriptor of the caller's `fd_array`; EPROTO without one."""
        if not self.fd_array:
            self._refuse("fd_idx without fd_array is invalid", Errno.EPROTO)
        fd: int = struct.unpack("=i", user.read(self.fd_array + index * FD_SIZE, FD_SIZE))[0]
        return fd

    def bound(self, count: int) -> list[SimMap]:
        """Return the maps in a `fd_array` of so many entries, which the program keeps alive whether it uses them.

        EINVAL for too many, EFAULT without array, the errno of the wrong descriptor for neither map nor BTF.
        """
        refuse_if(count >= MAX_BOUND)
        refuse_if(count and not self.fd_array, Errno.EFAULT)
        return [found for found in map(self._bound, range(count)) if found is not None]

    def _bound(self, index: int) -> SimMap | None:
        fd = self.fd_at(index)
        try:
            found = self.kernel.files.get(fd).object
        except Refusal as refusal:
            self._refuse(f"fd {fd} is not pointing to map or btf", Errno(refusal.errno))
        if not isinstance(found, SimMap | SimBtf):
            self._refuse(f"fd {fd} is not pointing to map or btf")
        return found if isinstance(found, SimMap) else None

    def _second(self, slot: int) -> Insn:
        if slot + 1 >= len(self.insns) or self.insns[slot + 1].opcode:
            self._refuse("invalid bpf_ld_imm64 insn")
        return self.insns[slot + 1]

    def _offset(self, slot: int) -> int:
        insn = self.insns[slot]
        offset = self._second(slot).imm & 0xFFFFFFFF
        if insn.src not in MAP_SOURCES or (offset and insn.src not in WITH_VALUE):
            self._refuse("unrecognized bpf_ld_imm64 insn")
        return offset

    def _map(self, insn: Insn) -> SimMap:
        fd = self.fd_at(insn.imm & 0xFFFFFFFF) if insn.src in BY_INDEX else insn.imm
        try:
            return self.kernel.find(fd, SimMap)
        except Refusal as refusal:
            self._refuse(f"fd {fd} is not pointing to valid bpf_map", Errno(refusal.errno))

    def _value(self, target: SimMap, offset: int) -> int:
        if offset >= MAX_VALUE_OFFSET:
            self._refuse(f"direct value offset of {offset} is not allowed")
        address = target.direct_value(offset)
        if address is None:
            self._refuse("no direct value access support for this map type")
        if not address:
            self._refuse(f"invalid access to map value pointer, value_size={target.value_size} off={offset}")
        return address

    def _refuse(self, text: str, errno: Errno = Errno.EINVAL) -> NoReturn:
        self.log.write(f"{text}\n")
        raise Refusal(errno)
