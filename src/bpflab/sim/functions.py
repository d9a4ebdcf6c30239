"""The functions of a program, from the func info that it was loaded with."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.btf import FuncLinkage
from bpflab.abi.errno import Errno
from bpflab.errors import BtfError
from bpflab.obj.btf_types import Func
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.sim.btf import SimBtf
    from bpflab.sim.programs import Records


@dataclass(frozen=True, slots=True)
class Function:
    """A function that starts at slot `insn`; a global one is checked on its own."""

    insn: int
    name: str
    is_global: bool


def functions(records: Records, btf: SimBtf | None) -> tuple[Function, ...]:
    """Read the records in order; EINVAL when they are out of order or name something that is no function."""
    if btf is None or not records.count:
        return ()
    read = struct.Struct("<2I" if btf.types.byteorder == "little" else ">2I").unpack_from
    found = [_function(btf, *read(records.data, number * records.size)) for number in range(records.count)]
    starts = [each.insn for each in found]
    refuse_if(starts[0] != 0 or starts != sorted(set(starts)))
    return tuple(found)


def _function(btf: SimBtf, insn: int, type_id: int) -> Function:
    try:
        found = btf.types.get(type_id, Func)
    except BtfError:
        raise Refusal(Errno.EINVAL) from None
    return Function(insn, found.name, found.linkage == FuncLinkage.GLOBAL)
