"""What a program attaches to inside the kernel, as the BTF id that PROG_LOAD wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.attach_types import AttachType
from bpflab.abi.btf import BtfKind
from bpflab.abi.prog_types import ProgType
from bpflab.errors import NotSupportedError, ObjectError

if TYPE_CHECKING:
    from bpflab.backend.attr import AttrValue
    from bpflab.backend.base import Backend
    from bpflab.obj.btf import Btf
    from bpflab.obj.spec import ProgramSpec

PREFIXES = {AttachType.TRACE_RAW_TP: "btf_trace_", AttachType.TRACE_ITER: "bpf_iter_"}
"""What the kernel puts before the name of a tracepoint's type and of an iterator's function."""


def attach_target(backend: Backend, spec: ProgramSpec) -> dict[str, AttrValue]:
    """Return `attach_btf_id` for the types that need one, the member of a struct of operations, or nothing."""
    if spec.type is ProgType.STRUCT_OPS:
        return _member(backend, spec)
    if spec.type not in {ProgType.TRACING, ProgType.LSM}:
        return {}
    if not spec.attach_to:
        raise ObjectError(
            f"Program {spec.name!r} of section {spec.section!r} names no function to attach to; write it after the "
            'slash, as in SEC("fentry/tcp_connect").'
        )
    return {"attach_btf_id": _kernel_btf_id(backend, spec, spec.attach_to)}


def _member(backend: Backend, spec: ProgramSpec) -> dict[str, AttrValue]:
    from bpflab.obj.ops_fit import member_index, ops_type

    if spec.implements is None:
        raise ObjectError(
            f"Program {spec.name!r} is in no struct of operations; name it in one of SEC('.struct_ops.link'), or leave "
            f"it out: drop({spec.name!r})."
        )
    name, member = spec.implements
    types = kernel_types_of(backend, f"Program {spec.name!r}")
    type_id = ops_type(types, name, spec.name)
    return {"attach_btf_id": type_id, "expected_attach_type": member_index(types, type_id, member)}


def kernel_types_of(backend: Backend, what: str) -> Btf:
    """Return the kernel's types; NotSupportedError where it has none."""
    from bpflab.objects.fit import kernel_types

    raw = backend.kernel_btf()
    if raw is None:
        raise NotSupportedError(f"{what} attaches by BTF, and this kernel ({backend.name}) has none.")
    return kernel_types(raw)


def _kernel_btf_id(backend: Backend, spec: ProgramSpec, target: str) -> int:
    types = kernel_types_of(backend, f"Program {spec.name!r}")
    prefix = "bpf_lsm_" if spec.type is ProgType.LSM else PREFIXES.get(spec.attach_type or AttachType(0), "")
    kind = BtfKind.TYPEDEF if spec.attach_type is AttachType.TRACE_RAW_TP else BtfKind.FUNC
    return types.require(prefix + target, kind)
