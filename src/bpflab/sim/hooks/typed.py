"""What programs have in common whose arguments have types of the kernel's BTF: tracing and security modules.

The context is the arguments of a kernel function, eight bytes each (btf_ctx_access in kernel/bpf/btf.c). The
module is found under no program type's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.attach_types import AttachType
from bpflab.abi.btf import BtfKind
from bpflab.abi.context import MAX_TRACING_ARGS
from bpflab.obj.btf_layout import resolve, resolved, size_of
from bpflab.obj.btf_types import Composite, Func, FuncProto, Pointer, Struct, Typedef
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.hooks.plain import PlainHook, check_plain
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from bpflab.obj.btf import Btf
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.programs import ProgSpec, SimProgram

ARGUMENT = 8
NULLABLE: Final = "__nullable"
ITERATED: Final = frozenset({"key", "value"})
"""Parameters of iterators over maps that are memory of no type."""
RETURNED: Final = frozenset(
    {AttachType.TRACE_FEXIT, AttachType.MODIFY_RETURN, AttachType.LSM_MAC, AttachType.LSM_CGROUP}
)
"""Where a program sees what the function returned, behind its arguments."""


class TypedHook(PlainHook):
    """Arguments with types in, a number out. The run is the simulated kernel's own: no other can be asked for it."""

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow whole aligned reads of the arguments that the function has, and of what it returned after it ran."""
        arguments, nullable = self.arguments(spec), self.nullable(spec)

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            index, rest = divmod(offset, ARGUMENT)
            if store or rest or size != ARGUMENT or not 0 <= index < len(arguments):
                return None
            kind, btf = arguments[index]
            return CtxField(kind, offset, size, nullable=index in nullable, btf=btf)

        return rule

    def nullable(self, spec: ProgSpec) -> frozenset[int]:
        """Return the positions of arguments that may be null, of which a program must make sure first."""
        return nullable_arguments(spec)

    def arguments(self, spec: ProgSpec) -> list[tuple[Kind, int]]:
        """Return what each eight bytes of the context are."""
        return typed_arguments(spec)

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run once on the arguments given, as many as the program reads."""
        check_plain(given)
        raw = given.ctx or b""
        refuse_if(not program.context_end <= len(raw) <= ARGUMENT * MAX_TRACING_ARGS)
        with kernel.memory.scope() as scope:
            context = scope.add(RegionKind.CONTEXT, bytearray(raw), name="arguments", writable=False)
            return RunOutput(invoke(Environment(kernel, program, context.address), scope))


def typed_arguments(spec: ProgSpec) -> list[tuple[Kind, int]]:
    """Return what each argument is: a number, or a pointer to a kernel's type."""
    found = prototype(spec)
    if found is None:
        return []
    btf, proto, _ = found
    parameters = typed_parameters(*found)
    if spec.expected_attach_type == AttachType.TRACE_ITER:
        return [
            (Kind.BUFFER, 0) if each.name in ITERATED else kind
            for each, kind in zip(proto.parameters, parameters, strict=True)
        ]
    returned = proto.return_id and spec.expected_attach_type in RETURNED
    return parameters + ([_argument(btf, proto.return_id)] if returned else [])


def nullable_arguments(spec: ProgSpec) -> frozenset[int]:
    """Return which arguments may be null: those that say so by their name, and what iterators go over, at the end."""
    found = prototype(spec)
    if found is None:
        return frozenset()
    btf, proto, skipped = found
    names = [each.name for each in proto.parameters[skipped:] for _ in range(_words(btf, each.type_id))]
    if spec.expected_attach_type == AttachType.TRACE_ITER:
        return frozenset(at for at, name in enumerate(names) if at and (name != "map" or "key" not in names))
    return frozenset(at for at, name in enumerate(names) if name.endswith(NULLABLE))


def typed_parameters(btf: Btf, proto: FuncProto, skipped: int) -> list[tuple[Kind, int]]:
    """Return what the parameters of a function are, but for the first `skipped`; a struct is one for each word."""
    found = proto.parameters[skipped:]
    return [_argument(btf, each.type_id) for each in found for _ in range(_words(btf, each.type_id))]


def prototype(spec: ProgSpec) -> tuple[Btf, FuncProto, int] | None:
    """Return the prototype that a program attaches to, and how many of its parameters the program does not see."""
    btf = spec.kernel_types
    if btf is None or spec.attach_btf_id not in btf:
        return None
    target = btf[spec.attach_btf_id]
    if isinstance(target, Func):
        return btf, btf.get(target.type_id, FuncProto), 0
    if isinstance(target, Struct):
        return _operation(btf, target, spec.expected_attach_type)
    if isinstance(target, Typedef) and btf.kind(resolve(btf, spec.attach_btf_id)) is BtfKind.PTR:
        pointer = btf.get(resolve(btf, spec.attach_btf_id), Pointer)
        return btf, btf.get(pointer.type_id, FuncProto), 1  # a tracepoint's first parameter is its own data
    return None


def _operation(btf: Btf, struct: Struct, index: int) -> tuple[Btf, FuncProto, int] | None:
    """Return the prototype of an operation: a member of a struct that points to a function."""
    pointer = resolved(btf, struct.members[index].type_id) if index < len(struct.members) else None
    target = resolved(btf, pointer.type_id) if isinstance(pointer, Pointer) else None
    return (btf, target, 0) if isinstance(target, FuncProto) else None


def _words(btf: Btf, type_id: int) -> int:
    """Return how much of the context a parameter takes: one place, or what a struct by value does (get_ctx_arg_idx)."""
    if not isinstance(resolved(btf, type_id), Composite):
        return 1
    return -(-size_of(btf, type_id) // ARGUMENT)


def _argument(btf: Btf, type_id: int) -> tuple[Kind, int]:
    found = resolved(btf, type_id)
    if isinstance(found, Pointer):
        target = resolve(btf, found.type_id)
        if isinstance(btf[target], Composite):
            return Kind.TRUSTED_BTF, target
    return Kind.SCALAR, 0
