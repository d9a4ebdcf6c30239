"""Programs from a compiler: ELF objects, BTF, and the specs they yield. Names are imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.obj.compile import CompileWarning, compile_c
    from bpflab.obj.core import keep_own_types, relocate
    from bpflab.obj.kconfig import KernelConfig, configure
    from bpflab.obj.reader import read_object
    from bpflab.obj.spec import MapSpec, ObjectSpec, ProgramSpec
    from bpflab.obj.symbols import read_addresses

__all__ = [
    "Btf",
    "CompileWarning",
    "KernelConfig",
    "MapSpec",
    "ObjectSpec",
    "ProgramSpec",
    "compile_c",
    "configure",
    "keep_own_types",
    "read_addresses",
    "read_object",
    "relocate",
]

_HOMES: Final = {
    "btf": ("Btf",),
    "compile": ("CompileWarning", "compile_c"),
    "core": ("keep_own_types", "relocate"),
    "kconfig": ("KernelConfig", "configure"),
    "reader": ("read_object",),
    "spec": ("MapSpec", "ObjectSpec", "ProgramSpec"),
    "symbols": ("read_addresses",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'bpflab.obj' has no attribute {name!r}")
    # Not kept, as in bpflab itself: pytester forgets modules that an inner run imported.
    value: object = getattr(import_module(f"bpflab.obj.{_HOME_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
