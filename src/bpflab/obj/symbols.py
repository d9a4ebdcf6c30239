"""Resolve what programs want of the kernel's symbols: functions and variables by BTF, others by address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from bpflab.abi.btf import BtfKind
from bpflab.abi.insn import WideSource
from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.core_compat import Pair, types_compatible
from bpflab.obj.core_patch import poison
from bpflab.obj.insns import Code
from bpflab.obj.relocations import Extern, ExternKind, Poisoned, Relocation, RelocationKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpflab.obj.spec import ProgramSpec

KALLSYMS = Path("/proc/kallsyms")


@dataclass(frozen=True, slots=True)
class Symbols:
    """The symbols of a kernel, for one object: its BTF beside the object's, addresses, and what is wanted."""

    pair: Pair
    externs: Mapping[str, Extern]
    addresses: Mapping[str, int]

    def resolve(self, program: ProgramSpec) -> ProgramSpec:
        """Give a program without relocations about the kernel; ObjectError for a symbol that has to be there."""
        code, poisoned = Code(program.insns, self.pair.local.byteorder), list(program.poisoned)
        for each in program.relocations:
            if each.kind.about_kernel and not self._write(code, each):
                poison(code, each.insn)
                poisoned.append(Poisoned(each.insn, f"the kernel has no function {each.symbol}"))
        left = tuple(each for each in program.relocations if not each.kind.about_kernel)
        return replace(program, insns=bytes(code.data), relocations=left, poisoned=tuple(poisoned))

    def _write(self, code: Code, each: Relocation) -> bool:
        """Write a symbol into its instruction; False for a call of a weak function that is missing."""
        extern = self.externs[each.symbol]
        found = self._address(extern) if each.kind is RelocationKind.KSYM_ADDRESS else self._type_id(extern)
        if each.kind is RelocationKind.KFUNC_CALL:
            code.set_imm(each.insn, found or 0)
            return found is not None
        if found is None:
            code.set_src(each.insn, WideSource.IMM)
        code.set_imm(each.insn, found or 0)
        code.set_imm(each.insn + 1, (found or 0) >> 32)
        return True

    def _address(self, extern: Extern) -> int | None:
        found = self.addresses.get(extern.name)
        if found is None and not extern.weak:
            raise ObjectError(
                f"the address of the kernel's symbol {extern.name!r} is not known: give relocate() addresses, such as "
                "those of read_addresses(), or declare it __weak."
            )
        return found

    def _type_id(self, extern: Extern) -> int | None:
        kind = BtfKind.FUNC if extern.kind is ExternKind.FUNCTION else BtfKind.VAR
        target = self.pair.target
        found = target.find(extern.name, kind)
        if found is None and not extern.weak:
            raise ObjectError(
                f"the kernel has no {kind.name.lower()} {extern.name!r} in its BTF (those of modules are not looked "
                f"up).{self._close(extern)}"
            )
        if found is None:
            return None
        declared = target.get(found, t.Reference).type_id
        if not types_compatible(self.pair, extern.type_id, declared, forwards=True):
            raise ObjectError(f"{extern.name!r} is declared otherwise than in the kernel; declare it as there.")
        return found

    def _close(self, extern: Extern) -> str:
        target, start = self.pair.target, extern.name[:5]
        kind = BtfKind.FUNC if extern.kind is ExternKind.FUNCTION else BtfKind.VAR
        names = (target.name(each) for each in target if target.kind(each) is kind)
        close = get_close_matches(extern.name, {name for name in names if name.startswith(start)}, n=3)
        return f" Similar: {', '.join(close)}." if close else ""


def read_addresses(names: Iterable[str], path: Path = KALLSYMS) -> dict[str, int]:
    """Read the addresses of symbols from the running kernel's list; those it does not show are left out.

    Without CAP_SYSLOG (or with sysctl kernel.kptr_restrict=2) the kernel shows none.
    """
    wanted, found = frozenset(names), dict[str, int]()
    try:
        with path.open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                address, _, name = line.split(maxsplit=3)[:3]
                if name in wanted and int(address, 16):
                    found.setdefault(name, int(address, 16))
    except (OSError, ValueError) as problem:
        raise ObjectError(f"addresses of kernel symbols cannot be read from {path}: {problem}.") from problem
    return found
