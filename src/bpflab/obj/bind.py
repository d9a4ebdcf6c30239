"""Write the file descriptors that a loader got into the instructions that want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.errors import ObjectError
from bpflab.obj.insns import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.obj.spec import ByteOrder, ProgramSpec


def bind(program: ProgramSpec, byteorder: ByteOrder, map_fds: Mapping[str, int]) -> bytes:
    """Give the program's instructions for PROG_LOAD, with the fd of each map it names.

    `byteorder` is the ObjectSpec's. ObjectError names a map for which there is no fd.
    """
    code = Code(program.insns, byteorder)
    for each in program.relocations:
        if each.symbol not in map_fds:
            raise ObjectError(f"program {program.name!r} needs map {each.symbol!r}, for which no fd is given.")
        code.set_imm(each.insn, map_fds[each.symbol])
    return bytes(code.data)
