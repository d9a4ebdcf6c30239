"""What programs have in common whose context is a structure of plain fields: read, changed, and given back.

No kernel runs them on demand; the simulated one does, on a context that the test fills by its fields. The rules
for fields are those of the types' `is_valid_access` in net/core/filter.c and kernel/bpf/cgroup.c. The module is found
under no program type's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from bpflab.abi.context import layout
from bpflab.abi.errno import Errno
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.hooks.plain import PlainHook, check_plain
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpflab.abi.context import ContextField
    from bpflab.abi.prog_types import ProgType
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.memory import Region, Scope
    from bpflab.sim.programs import ProgSpec, SimProgram

Allowed: TypeAlias = "Callable[[ProgSpec], frozenset[str]]"


class FieldsHook(PlainHook):
    """One structure's rules and run.

    `returns` are the least and greatest r0; `writable` gives the fields that a program may write, `hidden` those
    that it may not even read, both by how it was loaded; `pointers` say what the fields that are pointers point to.
    """

    def __init__(
        self,
        prog_type: ProgType,
        structure: str,
        *,
        returns: tuple[int, int] | None = (0, 1),
        writable: Allowed = lambda _spec: frozenset(),
        hidden: Allowed = lambda _spec: frozenset(),
        pointers: Mapping[str, tuple[Kind, bool]] | None = None,
    ) -> None:
        super().__init__(prog_type, returns)
        self.layout = layout(structure)
        self._writable = writable
        self._hidden = hidden
        self._pointers = dict(pointers or {})

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow aligned accesses within one element of a field, whole ones for stores and pointers."""
        writable, hidden = self._writable(spec), self._hidden(spec)

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            field = self.layout.at(offset)
            if field is None or field.name in hidden or not _fits(field, offset, size):
                return None
            if store:
                return CtxField(Kind.SCALAR, offset, size) if field.name in writable and size == field.size else None
            if not field.pointer:
                return CtxField(Kind.SCALAR, offset, size)
            kind, nullable = self._pointers.get(field.name, (None, False))
            return CtxField(kind, offset, size, nullable=nullable) if kind and size == field.size else None

        return rule

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run once on the context given; what the program wrote comes back."""
        check_plain(given) if not given.wants_ctx else refuse_if(given.data or given.repeat or given.batch_size)
        raw = given.ctx or b""
        refuse_if(any(raw[self.layout.size :]), Errno.E2BIG)
        with kernel.memory.scope() as scope:
            data = bytearray(raw[: self.layout.size].ljust(self.layout.size, b"\0"))
            context = scope.add(RegionKind.CONTEXT, data, name=self.layout.name)
            env = Environment(kernel, program, context.address)
            self.prepare(env, scope, context)
            retval = invoke(env, scope)
            return RunOutput(self.result(env, retval), ctx=self.given_back(env, context) if given.wants_ctx else None)

    def prepare(self, env: Environment, scope: Scope, context: Region) -> None:
        """Put in what the test cannot give as a number: pointers to a socket, to a packet."""

    def result(self, env: Environment, retval: int) -> int:
        """Return what the run answers; r0, unless a helper set another."""
        del env
        return retval

    def given_back(self, env: Environment, context: Region) -> bytes:
        """Return the context as the test sees it: pointers are zeros again."""
        del env
        data = bytearray(context.data)
        for field in self.layout.fields:
            if field.pointer:
                data[field.offset : field.end] = bytes(field.size)
        return bytes(data)


def _fits(field: ContextField, offset: int, size: int) -> bool:
    within = (offset - field.offset) % field.size
    return size <= field.size and within + size <= field.size and offset % size == 0
