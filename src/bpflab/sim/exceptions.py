"""The function that a program declares for its exceptions (bpf_find_exception_callback_insn_off, verifier.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NoReturn

from bpflab.abi.btf import EXCEPTION_CALLBACK, BtfKind, FuncLinkage
from bpflab.abi.errno import Errno
from bpflab.obj.btf_layout import resolved
from bpflab.obj.btf_types import Enum, Enum64, Func, FuncProto, Int
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.obj.btf import Btf
    from bpflab.sim.btf import SimBtf
    from bpflab.sim.log import Log
    from bpflab.sim.programs import Records


def exception_callback(records: Records, btf: SimBtf | None, log: Log) -> int:
    """Return the first slot of the callback that a program declares, 0 for none; refuses one that cannot be."""
    if btf is None or not records.count:
        return 0
    starts = _starts(records, btf.types)
    names = _declared(btf.types, next(iter(starts)))
    if len(names) > 1:
        _refuse(log, "multiple exception callback tags for main subprog", Errno.EEXIST)
    return _slot(names[0], starts, btf.types, log) if names else 0


def _starts(records: Records, btf: Btf) -> dict[int, int]:
    """Return the first slot of each function by the id of its type."""
    read = struct.Struct("<2I" if btf.byteorder == "little" else ">2I").unpack_from
    pairs = (read(records.data, number * records.size) for number in range(records.count))
    return {type_id: slot for slot, type_id in pairs}


def _declared(btf: Btf, main: int) -> list[str]:
    from bpflab.sim.check.owned import tags_of  # brings the whole check, which a program without BTF may not need

    return [
        tag.removeprefix(EXCEPTION_CALLBACK)
        for tag in tags_of(btf).get((main, -1), ())
        if tag.startswith(EXCEPTION_CALLBACK)
    ]


def _slot(name: str, starts: Mapping[int, int], btf: Btf, log: Log) -> int:
    type_id = btf.find(name, BtfKind.FUNC)
    if type_id is None:
        _refuse(log, f"exception callback '{name}' could not be found in BTF", Errno.ENOENT)
    if btf.get(type_id, Func).linkage != FuncLinkage.GLOBAL:
        _refuse(log, f"exception callback '{name}' must have global linkage")
    if type_id not in starts:
        _refuse(log, "exception callback type id not found in func_info")
    if not _takes_a_number(btf, type_id):
        _refuse(log, "exception cb only supports single integer argument")
    return starts[type_id]


def _takes_a_number(btf: Btf, type_id: int) -> bool:
    parameters = btf.get(btf.get(type_id, Func).type_id, FuncProto).parameters
    return len(parameters) == 1 and isinstance(resolved(btf, parameters[0].type_id), Int | Enum | Enum64)


def _refuse(log: Log, text: str, errno: Errno = Errno.EINVAL) -> NoReturn:
    log.write(f"{text}\n")
    raise Refusal(errno)
