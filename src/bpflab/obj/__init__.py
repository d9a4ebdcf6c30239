"""Programs from a compiler: ELF objects, BTF, and the specs they yield."""

from __future__ import annotations

from bpflab.obj.btf import Btf
from bpflab.obj.reader import read_object
from bpflab.obj.spec import MapSpec, ObjectSpec, ProgramSpec

__all__ = ["Btf", "MapSpec", "ObjectSpec", "ProgramSpec", "read_object"]
