"""The types of the simulated kernel: BTF that its programs, helpers and objects refer to.

They are read when they are first asked for, and so are the modules that read them: a kernel whose programs never
name a type costs nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import BtfKind
from bpflab.abi.kfuncs import KfuncFlag, kfunc
from bpflab.errors import ArgumentError, BtfError

if TYPE_CHECKING:
    from pathlib import Path

    from bpflab.abi.layout import ByteOrder
    from bpflab.abi.prog_types import ProgType
    from bpflab.obj.btf import Btf
    from bpflab.obj.btf_types import Func, FuncProto

RUNNING: Final = "running"
"""The types of the kernel that this process runs on."""


class KernelTypes:
    """BTF of a simulated kernel, or none. `source` is raw BTF, a file of it, RUNNING or None."""

    def __init__(self, source: bytes | str | Path | None, byteorder: ByteOrder) -> None:
        self._source = source
        self._byteorder = byteorder
        self._read = False
        self._btf: Btf | None = None
        self._flags: dict[str, KfuncFlag] = {}

    @property
    def btf(self) -> Btf | None:
        """The types, None for a kernel without; BtfError for a file that is none."""
        if not self._read:
            self._btf, self._read = self._load(), True
        return self._btf

    def required(self, what: str) -> Btf:
        """Return the types; ArgumentError that says how to give some where there are none."""
        if self.btf is None:
            raise ArgumentError(
                f"{what} needs the kernel's types, and the simulated kernel has none here: the running kernel offers "
                f"no BTF of a {self._byteorder}-endian machine. Give some: "
                "Lab(SimBackend(Machine(btf='vmlinux.btf')))."
            )
        return self.btf

    def function(self, btf_id: int) -> tuple[Func, FuncProto] | None:
        """Return the kernel function of an id with its prototype; None if the id is not one's."""
        if self.btf is None or btf_id not in self.btf or self.btf.kind(btf_id) is not BtfKind.FUNC:
            return None
        from bpflab.obj.btf_types import Func, FuncProto

        found = self.btf.get(btf_id, Func)
        return found, self.btf.get(found.type_id, FuncProto)

    def flags_of(self, name: str) -> KfuncFlag:
        """Return the flags of a kernel function: those it was declared with, or those of Linux."""
        return self._flags.get(name, kfunc(name).flags)

    def may_call(self, name: str, prog_type: ProgType) -> bool:
        """Whether programs of a type may call a function of Linux; all may call one that was declared."""
        return name in self._flags or kfunc(name).allows(prog_type)

    def declare(self, prototype: str, flags: KfuncFlag) -> str:
        """Add a function that the kernel does not have, by its prototype in C, and return its name."""
        from bpflab.obj.btf_append import append
        from bpflab.sim.prototype import declared

        btf = self.required("A function of the kernel")
        name, types = declared(btf, prototype)
        if btf.find(name, BtfKind.FUNC) is None:
            self._btf = append(btf, types)
        self._flags[name] = flags
        return name

    def declare_ops(self, source: Btf, name: str) -> None:
        """Add a struct of operations that the kernel does not have, as an object declares it; BtfError without one."""
        from bpflab.sim.declared_ops import with_operations

        self._btf = with_operations(self.required("A struct of operations"), source, name)

    def _load(self) -> Btf | None:
        if self._source is None:
            return None
        if self._source == RUNNING:
            return _running(self._byteorder)
        from bpflab.obj.btf import Btf

        return Btf(self._source) if isinstance(self._source, bytes) else Btf.read(self._source)


@lru_cache(maxsize=2)
def _running(byteorder: ByteOrder) -> Btf | None:
    from bpflab.obj.btf import KERNEL_BTF, Btf

    try:
        found = Btf(KERNEL_BTF.read_bytes())
    except (OSError, BtfError):
        return None
    return found if found.byteorder == byteorder else None
