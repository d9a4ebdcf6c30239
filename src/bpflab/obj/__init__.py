"""Programs from a compiler: ELF objects, BTF, and the specs they yield."""

from __future__ import annotations

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
