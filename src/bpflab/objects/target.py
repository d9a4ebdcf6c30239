"""What a program attaches to inside the kernel, as the BTF id that PROG_LOAD wants."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from bpflab.abi.attach_types import AttachType
from bpflab.abi.btf import BtfKind
from bpflab.abi.prog_types import ProgType
from bpflab.errors import NotSupportedError, ObjectError

if TYPE_CHECKING:
    from bpflab.backend.attr import AttrValue
    from bpflab.backend.base import Backend
    from bpflab.lab import Lab
    from bpflab.obj.btf import Btf
    from bpflab.obj.spec import ProgramSpec
    from bpflab.objects.modules import KernelModules
    from bpflab.programs.program import Program

PREFIXES = {AttachType.TRACE_RAW_TP: "btf_trace_", AttachType.TRACE_ITER: "bpf_iter_"}
"""What the kernel puts before the name of a tracepoint's type and of an iterator's function."""


def attach_target(
    lab: Lab, spec: ProgramSpec, modules: KernelModules, inside: Program | None = None
) -> dict[str, AttrValue]:
    """Return `attach_btf_id` for the types that need one, the member of a struct of operations, or nothing.

    A function of one of the kernel's `modules` is told with the descriptor of the module's BTF. `inside` is the
    program whose function is meant, in the place of one of the kernel.
    """
    if spec.type is ProgType.STRUCT_OPS:
        return _member(lab.backend, spec)
    if spec.type not in {ProgType.TRACING, ProgType.LSM, ProgType.EXT}:
        return {}
    if not spec.attach_to:
        raise ObjectError(
            f"Program {spec.name!r} of section {spec.section!r} names no function to attach to; write it after the "
            'slash, as in SEC("fentry/tcp_connect").'
        )
    if inside is not None:
        return {"attach_btf_id": _function_of(lab, spec, spec.attach_to, inside), "attach_prog_fd": inside.fileno()}
    if spec.type is ProgType.EXT:
        raise ObjectError(
            f"Program {spec.name!r} replaces a function of another program; say of which: "
            f"obj = lab.open(...), obj.attach_to({spec.name!r}, {spec.attach_to!r}, inside=other.programs.name)."
        )
    return _in_kernel(lab.backend, spec, spec.attach_to, modules)


def _function_of(lab: Lab, spec: ProgramSpec, name: str, inside: Program) -> int:
    from bpflab.maps.kernel_types import types_of

    types = types_of(lab, inside.info.btf_id)
    if types is None:
        raise ObjectError(
            f"Program {spec.name!r} attaches to {name!r} of program {inside.name!r}, which was loaded without BTF "
            "of its functions, or whose BTF the kernel does not show to this process."
        )
    return types.require(name, BtfKind.FUNC)


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


def _in_kernel(backend: Backend, spec: ProgramSpec, target: str, modules: KernelModules) -> dict[str, AttrValue]:
    """Find what a program attaches to, given as `function` or `module:function`, as libbpf does."""
    own = kernel_types_of(backend, f"Program {spec.name!r}")
    prefix = "bpf_lsm_" if spec.type is ProgType.LSM else PREFIXES.get(spec.attach_type or AttachType(0), "")
    kind = BtfKind.TYPEDEF if spec.attach_type is AttachType.TRACE_RAW_TP else BtfKind.FUNC
    module, _, name = target.rpartition(":")
    types = modules.types(own)
    found = types.symbol(prefix + name, kind, module)
    if found is None:
        close = get_close_matches(prefix + name, set(types.names(kind, (prefix + name)[: len(prefix) + 2])), n=3)
        similar = f" Similar: {', '.join(close)}." if close else ""
        looked = f"module {module!r} was asked for; {types.looked_through}" if module else types.looked_through
        raise ObjectError(
            f"Program {spec.name!r}: the kernel's BTF has no {kind.name.lower()} {prefix + name!r} ({looked}).{similar}"
        )
    place: dict[str, AttrValue] = {"attach_btf_id": found.type_id}
    return place | ({"attach_btf_obj_fd": modules.keep(found.module).fileno()} if found.module else {})
