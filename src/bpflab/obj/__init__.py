"""Programs from a compiler: ELF objects, BTF, and the specs they yield."""

from __future__ import annotations

from bpflab.obj.btf import Btf
from bpflab.obj.compile import CompileWarning, compile_c
from bpflab.obj.core import relocate
from bpflab.obj.reader import read_object
from bpflab.obj.spec import MapSpec, ObjectSpec, ProgramSpec

__all__ = ["Btf", "CompileWarning", "MapSpec", "ObjectSpec", "ProgramSpec", "compile_c", "read_object", "relocate"]
