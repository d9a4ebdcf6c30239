"""Resolve what programs want of the kernel's symbols: functions and variables by BTF, others by address."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.insn import WideSource
from bpflab.errors import ObjectError
from bpflab.obj import btf_types as t
from bpflab.obj.core_compat import Pair, types_compatible
from bpflab.obj.core_patch import poison
from bpflab.obj.insns import Code
from bpflab.obj.relocations import ExternKind, Poisoned, Relocation, RelocationKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpflab.obj.btf import Btf
    from bpflab.obj.kernel_types import Found, KernelTypes
    from bpflab.obj.relocations import Extern
    from bpflab.obj.spec import ProgramSpec

KALLSYMS = Path("/proc/kallsyms")
MOST_MODULES: Final = (1 << 15) - 2
"""What the 16 bits of a call's `off` can tell apart, entry 0 being unused."""


class Symbols:
    """The symbols of a kernel, for one object: its BTF beside the object's, addresses, and what is wanted.

    Each symbol is looked up once. `modules` are those of whose functions an instruction has the number, from 1 on.
    """

    def __init__(
        self, local: Btf, kernel: KernelTypes, externs: Mapping[str, Extern], addresses: Mapping[str, int]
    ) -> None:
        self.modules: list[str] = []
        self._local = local
        self._kernel = kernel
        self._externs = externs
        self._addresses = addresses
        self._found: dict[str, Found | None] = {}

    def number_modules(self, programs: Iterable[ProgramSpec]) -> None:
        """Find what programs want, by its names in order, and number the modules that have functions of it."""
        relocations = (each for program in programs for each in program.relocations if each.kind.about_kernel)
        for name in sorted({each.symbol for each in relocations if each.kind is not RelocationKind.KSYM_ADDRESS}):
            found = self._symbol(self._externs[name])
            if found is None or not found.module or self._externs[name].kind is not ExternKind.FUNCTION:
                continue
            if found.module not in self.modules:
                self.modules.append(found.module)
        if len(self.modules) > MOST_MODULES:
            raise ObjectError(f"functions of {len(self.modules)} modules are called; {MOST_MODULES} are the most.")

    def resolve(self, program: ProgramSpec) -> ProgramSpec:
        """Give a program without relocations about the kernel; ObjectError for a symbol that has to be there."""
        code, poisoned = Code(program.insns, self._local.byteorder), list(program.poisoned)
        left = [each for each in program.relocations if not each.kind.about_kernel]
        for each in program.relocations:
            if each.kind is RelocationKind.KSYM_ADDRESS:
                self._write_address(code, each)
            elif each.kind is RelocationKind.KSYM:
                left += self._write_variable(code, each)
            elif each.kind is RelocationKind.KFUNC_CALL and not self._write_call(code, each):
                poison(code, each.insn)
                looked = self._kernel.looked_through
                poisoned.append(Poisoned(each.insn, f"the kernel has no function {each.symbol} ({looked})"))
        return replace(program, insns=bytes(code.data), relocations=tuple(left), poisoned=tuple(poisoned))

    def _write_call(self, code: Code, each: Relocation) -> bool:
        """Write a function's id, and the number of its module; False for a weak function that is missing."""
        found = self._symbol(self._externs[each.symbol])
        if found is not None:
            code.set_imm(each.insn, found.type_id)
            code.set_off(each.insn, self.modules.index(found.module) + 1 if found.module else 0)
        return found is not None

    def _write_variable(self, code: Code, each: Relocation) -> list[Relocation]:
        """Write a symbol's id, or null; the descriptor of its module is left to the loader."""
        found = self._symbol(self._externs[each.symbol])
        if found is None:
            code.set_src(each.insn, WideSource.IMM)
        code.set_imm(each.insn, found.type_id if found is not None else 0)
        code.set_imm(each.insn + 1, 0)
        module = found.module if found is not None else ""
        return [Relocation(each.insn + 1, RelocationKind.MODULE_BTF, module)] if module else []

    def _write_address(self, code: Code, each: Relocation) -> None:
        found = self._addresses.get(each.symbol, 0)
        if not found and not self._externs[each.symbol].weak:
            raise ObjectError(
                f"the address of the kernel's symbol {each.symbol!r} is not known: give relocate() addresses, such as "
                "those of read_addresses(), or declare it __weak."
            )
        if not found:
            code.set_src(each.insn, WideSource.IMM)
        code.set_imm(each.insn, found)
        code.set_imm(each.insn + 1, found >> 32)

    def _symbol(self, extern: Extern) -> Found | None:
        if extern.name not in self._found:
            self._found[extern.name] = self._look_up(extern)
        return self._found[extern.name]

    def _look_up(self, extern: Extern) -> Found | None:
        kind = BtfKind.FUNC if extern.kind is ExternKind.FUNCTION else BtfKind.VAR
        found = self._kernel.symbol(extern.name, kind)
        if found is None:
            if extern.weak:
                return None
            raise ObjectError(
                f"the kernel has no {kind.name.lower()} {extern.name!r} in its BTF ({self._kernel.looked_through})."
                f"{self._close(extern.name, kind)}"
            )
        declared = found.btf.get(found.type_id, t.Reference).type_id
        if not types_compatible(Pair(self._local, found.btf), extern.type_id, declared, forwards=True):
            where = f"module {found.module}" if found.module else "the kernel"
            raise ObjectError(f"{extern.name!r} is declared otherwise than in {where}; declare it as there.")
        return found

    def _close(self, name: str, kind: BtfKind) -> str:
        close = get_close_matches(name, set(self._kernel.names(kind, name[:5])), n=3)
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
