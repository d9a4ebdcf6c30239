"""The functions of a program, from the func info that it was loaded with."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.btf import FuncLinkage
from bpflab.abi.errno import Errno
from bpflab.errors import BtfError
from bpflab.obj.btf_layout import resolved
from bpflab.obj.btf_types import Forward, Func, FuncProto, Pointer, Struct
from bpflab.sim.refusal import Refusal, refuse_if

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.sim.btf import SimBtf
    from bpflab.sim.programs import Records


MAX_ARGUMENTS: Final = 5
"""A function takes its arguments in r1 to r5."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that starts at slot `insn`; a global one is checked on its own.

    `contexts` are the registers that hold the program's context when it starts, by the types of its parameters.
    """

    insn: int
    name: str
    is_global: bool
    contexts: frozenset[int] = frozenset()


def functions(records: Records, btf: SimBtf | None, context: str | None) -> tuple[Function, ...]:
    """Read the records in order; EINVAL when they are out of order or name something that is no function.

    `context` is the C name of the structure that programs of this type get as context, such as `xdp_md`.
    """
    if btf is None or not records.count:
        return ()
    read = struct.Struct("<2I" if btf.types.byteorder == "little" else ">2I").unpack_from
    found = [_function(btf, context, *read(records.data, number * records.size)) for number in range(records.count)]
    starts = [each.insn for each in found]
    refuse_if(starts[0] != 0 or starts != sorted(set(starts)))
    return tuple(found)


def _function(btf: SimBtf, context: str | None, insn: int, type_id: int) -> Function:
    try:
        found = btf.types.get(type_id, Func)
        parameters = btf.types.get(found.type_id, FuncProto).parameters
    except BtfError:
        raise Refusal(Errno.EINVAL) from None
    pointed = [_pointed_structure(btf.types, parameter.type_id) for parameter in parameters[:MAX_ARGUMENTS]]
    contexts = frozenset(reg for reg, name in enumerate(pointed, 1) if name and name == context)
    return Function(insn, found.name, found.linkage == FuncLinkage.GLOBAL, contexts)


def _pointed_structure(types: Btf, type_id: int) -> str | None:
    """Return the name of the structure that a parameter points to, None for any other parameter."""
    pointer = resolved(types, type_id)
    if not isinstance(pointer, Pointer):
        return None
    target = resolved(types, pointer.type_id)
    return target.name if isinstance(target, Struct | Forward) else None
