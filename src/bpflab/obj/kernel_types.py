"""Where types and symbols of a kernel are looked for: in its own BTF, and in its modules' when they are not there.

The order is libbpf's: who has a name in the kernel's own types never looks at a module, so that modules cost nothing
where none is needed. A symbol is the first module's that has it; a type may be any module's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpflab.abi.btf import BtfKind
    from bpflab.obj.btf import Btf

VMLINUX: Final = "vmlinux"
"""The name of the kernel's own BTF among those of modules."""
_MOST_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class Module:
    """A kernel module that is loaded: its name, and its BTF, which continues the kernel's (`Btf(data, base)`)."""

    name: str
    btf: Btf


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of a kernel; `why_not` says why they could not be read, and is empty when they were."""

    loaded: tuple[Module, ...] = ()
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A type or symbol: its id in `btf`, which is that of `module`, or the kernel's own when that is empty."""

    btf: Btf
    type_id: int
    module: str = ""

    def __str__(self) -> str:
        return f"{self.type_id} of module {self.module}" if self.module else str(self.type_id)


class KernelTypes:
    """A kernel's own BTF, and its modules', which are asked for once something is missing; None: not at all."""

    def __init__(self, own: Btf, modules: Callable[[], Modules] | None = None) -> None:
        self.own = own
        self._ask = modules

    def symbol(self, name: str, kind: BtfKind, module: str = "") -> Found | None:
        """Find a function or variable; `module` names the one to look at alone, `vmlinux` for the kernel itself."""
        type_id = self.own.find(name, kind) if module in {"", VMLINUX} else None
        if type_id is not None or module == VMLINUX:
            return None if type_id is None else Found(self.own, type_id)
        return next(
            (
                Found(m.btf, each, m.name)
                for m in self._loaded
                if module in {"", m.name}
                for each in m.btf.ids(name, kind, own=True)
            ),
            None,
        )

    def types(self, name: str, fits: Callable[[Btf, int], bool]) -> tuple[Found, ...]:
        """Find the types of a name, whatever their flavour, that fit: the kernel's own, else those of all modules."""
        found = tuple(Found(self.own, each) for each in self.own.flavours(name) if fits(self.own, each))
        return found or tuple(
            Found(m.btf, each, m.name)
            for m in self._loaded
            for each in m.btf.flavours(name, own=True)
            if fits(m.btf, each)
        )

    def names(self, kind: BtfKind, start: str) -> Iterator[str]:
        """List the names of a kind that start alike, in the kernel and in the modules that were asked for."""
        for btf in (self.own, *(module.btf for module in self._loaded)):
            first = 1 if btf.base is None else len(btf.base)
            for each in range(first, len(btf)):
                if btf.kind(each) is kind and btf.name(each).startswith(start):
                    yield btf.name(each)

    @property
    def looked_through(self) -> str:
        """Say where something that is missing was looked for."""
        if self._modules.why_not:
            return f"looked through: vmlinux; {self._modules.why_not}"
        names = [each.name for each in self._loaded]
        if not names:
            return "looked through: vmlinux; no modules with BTF are loaded"
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        return f"looked through: vmlinux, and of modules {', '.join(names[:_MOST_NAMED])}{more}"

    @property
    def _loaded(self) -> tuple[Module, ...]:
        return self._modules.loaded

    @cached_property
    def _modules(self) -> Modules:
        return self._ask() if self._ask is not None else Modules(why_not="modules were not given")
