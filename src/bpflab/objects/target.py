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
    from bpflab.obj.spec import ProgramSpec

PREFIXES = {AttachType.TRACE_RAW_TP: "btf_trace_", AttachType.TRACE_ITER: "bpf_iter_"}
"""What the kernel puts before the name of a tracepoint's type and of an iterator's function."""


def attach_target(backend: Backend, spec: ProgramSpec) -> dict[str, AttrValue]:
    """Return `attach_btf_id` for the types that need one, and nothing for the others."""
    if spec.type not in {ProgType.TRACING, ProgType.LSM}:
        return {}
    if not spec.attach_to:
        raise ObjectError(
            f"Program {spec.name!r} of section {spec.section!r} names no function to attach to; write it after the "
            'slash, as in SEC("fentry/tcp_connect").'
        )
    return {"attach_btf_id": _kernel_btf_id(backend, spec, spec.attach_to)}


def _kernel_btf_id(backend: Backend, spec: ProgramSpec, target: str) -> int:
    from bpflab.objects.fit import kernel_types

    raw = backend.kernel_btf()
    if raw is None:
        raise NotSupportedError(f"Program {spec.name!r} attaches by BTF, and this kernel ({backend.name}) has none.")
    prefix = "bpf_lsm_" if spec.type is ProgType.LSM else PREFIXES.get(spec.attach_type or AttachType(0), "")
    kind = BtfKind.TYPEDEF if spec.attach_type is AttachType.TRACE_RAW_TP else BtfKind.FUNC
    return kernel_types(raw).require(prefix + target, kind)
