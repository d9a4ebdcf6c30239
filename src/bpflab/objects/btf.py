"""An object's BTF in a kernel."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from bpflab.abi.btf import BtfKind, FuncLinkage, IntEncoding
from bpflab.abi.commands import Command
from bpflab.backend.attr import Attr
from bpflab.backend.descriptor import Descriptor
from bpflab.errors import NotPermittedError, SyscallError
from bpflab.obj import btf_types as t

if TYPE_CHECKING:
    from bpflab.abi.layout import ByteOrder
    from bpflab.backend.call import Caller
    from bpflab.lab import Lab
    from bpflab.obj.spec import ObjectSpec

LOG_SIZE = 1 << 16
INT = t.Int(name="int", size=4, bits=32, encoding=IntEncoding.SIGNED)
PROTO = t.FuncProto(return_id=0, parameters=(t.Parameter("a", 1),))
VARIABLE = t.Var(name="x", type_id=1)
EXAMPLES: dict[BtfKind, tuple[t.BtfType, ...]] = {
    BtfKind.FUNC: (PROTO, t.Func(name="f", type_id=2)),
    BtfKind.DATASEC: (VARIABLE, t.Datasec(name=".data", size=4, variables=(t.SectionVariable(2, 0, 4),))),
    BtfKind.FLOAT: (t.Float(name="float", size=4),),
    BtfKind.DECL_TAG: (VARIABLE, t.DeclTag(name="tag", type_id=2)),
    BtfKind.TYPE_TAG: (t.TypeTag(name="tag", type_id=1), t.Pointer(type_id=2)),
    BtfKind.ENUM64: (t.Enum64(name="e", size=8, values=(t.EnumValue("V", 0),)),),
}
"""The least BTF that uses each kind; type 1 is an int."""
GLOBAL_FUNCTION = (PROTO, t.Func(name="f", type_id=2, linkage=FuncLinkage.GLOBAL))


def load_btf(lab: Lab, spec: ObjectSpec) -> tuple[Descriptor | None, str]:
    """Load the object's BTF and return its descriptor, or None and the kernel's reason not to take it.

    For a kernel too old for a kind of type, that kind is rewritten as one that it knows. One that does not take even
    that has programs load without source lines, as with libbpf.
    """
    if spec.btf is None:
        return None, ""
    fd, refusal = _load(lab, spec.btf)
    if fd is None:
        older = for_older_kernel(lab, spec.btf)
        fd = _load(lab, older)[0] if older is not None else None
    return (None, refusal) if fd is None else (lab.own(Descriptor(lab.backend, fd, f"The BTF of {spec.name}")), "")


def for_older_kernel(lab: Lab, raw: bytes) -> bytes | None:
    """Rewrite the kinds that the kernel refuses; None when it knows them all, and the fault is another."""
    from bpflab.obj.btf import Btf
    from bpflab.obj.btf_older import NEWER, rewritten

    btf = Btf(raw)
    used = {btf.kind(type_id) for type_id in btf}
    unknown = [kind for kind in NEWER if kind in used and not _knows(lab, EXAMPLES[kind], btf.byteorder)]
    global_functions = _knows(lab, GLOBAL_FUNCTION, btf.byteorder)
    if not unknown and global_functions:
        return None
    return rewritten(btf, unknown, global_functions=global_functions)


def _load(lab: Lab, raw: bytes) -> tuple[int | None, str]:
    try:
        return lab.call(Command.BTF_LOAD, btf=raw, btf_size=len(raw)).result, ""
    except NotPermittedError:
        raise
    except SyscallError as error:
        return None, f"{error} {_log(lab.call, raw)}"


def _knows(lab: Lab, types: tuple[t.BtfType, ...], byteorder: ByteOrder) -> bool:
    from bpflab.obj.btf_encode import encode

    fd, _ = _load(lab, encode((INT, *types), byteorder))
    if fd is not None:
        lab.backend.close(fd)
    return fd is not None


def _log(call: Caller, btf: bytes) -> str:
    log = ctypes.create_string_buffer(LOG_SIZE)
    attr = Attr(
        Command.BTF_LOAD,
        {"btf": btf, "btf_size": len(btf), "btf_log_buf": log, "btf_log_size": LOG_SIZE, "btf_log_level": 1},
    )
    fd = call.send(Command.BTF_LOAD, attr)
    if fd >= 0:
        call.backend.close(fd)
    return log.value.decode(errors="replace").strip()
