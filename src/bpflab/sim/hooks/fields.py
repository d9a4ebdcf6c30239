"""What programs have in common whose context is a structure of plain fields: read, changed, and given back.

No kernel runs them on demand; the simulated one does, on a context that the test fills by its fields. Which fields
may be accessed is told by abi/field_rules.py. The module is found under no program type's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.attach_types import AttachType
from bpflab.abi.context import layout, simulated_layout
from bpflab.abi.errno import Errno
from bpflab.abi.field_rules import RULES
from bpflab.sim.check import CtxField, Kind
from bpflab.sim.field_context import FieldContext
from bpflab.sim.hooks.plain import PlainHook
from bpflab.sim.memory import RegionKind
from bpflab.sim.refusal import refuse_if
from bpflab.sim.test_run import Environment, RunInput, RunOutput, invoke

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpflab.abi.context import ContextField
    from bpflab.abi.prog_types import ProgType
    from bpflab.sim.check import CtxRule
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.memory import Scope
    from bpflab.sim.programs import ProgSpec, SimProgram

WIDE = 8


class FieldsHook(PlainHook):
    """One structure's rules and run.

    `returns` are the least and greatest r0; `pointers` say what the fields that are pointers point to, and whether
    they may be null. `takes_data`: a run is given bytes beside the context. `needs_context`: it is refused without one.
    """

    takes_data = False
    needs_context = True

    def __init__(
        self,
        prog_type: ProgType,
        structure: str,
        *,
        returns: tuple[int, int] | None = (0, 1),
        pointers: Mapping[str, tuple[Kind, bool]] | None = None,
    ) -> None:
        super().__init__(prog_type, returns)
        self.layout = layout(structure)
        self.whole = simulated_layout(structure)
        self._pointers = dict(pointers or {})

    def context(self, spec: ProgSpec) -> CtxRule:
        """Allow what the type's rules do, at the place that the program was loaded for."""
        rules, place = RULES[self.type], AttachType(spec.expected_attach_type)
        hidden = {name for name, places in rules.only_in.items() if place not in places}
        writable = {name for name, places in rules.writable.items() if places is None or place in places}

        def rule(offset: int, size: int, store: bool) -> CtxField | None:
            if offset % size:
                return None
            found = self._written(offset, writable) if store else self.layout.at(offset)
            if found is None or found.name in hidden:
                return None
            if found.name in rules.wide and size == WIDE:
                inside = found.offset <= offset and offset + size <= found.end
                return CtxField(Kind.SCALAR, offset, size) if inside else None
            if found.pointer:
                kind, nullable = self._pointers[found.name]
                return CtxField(kind, offset, size, nullable=nullable) if size == found.size and not store else None
            within = (offset - found.offset) % found.size
            whole = not within and size in {found.size, rules.spill.get(found.name)}
            part = found.name in rules.partial or (found.name in rules.from_start and not within)
            if not whole and (store or not part or size >= found.size):
                return None
            return _kept(found, offset, size, rules.kept.get(found.name), spec.byteorder)

        return rule

    def _written(self, offset: int, writable: set[str]) -> ContextField | None:
        """Return the field that a store is to: that of a union which may be written."""
        named = (field for field in self.layout.fields if field.name in writable)
        return next((field for field in named if field.offset <= offset < field.end), None)

    def test_run(self, kernel: SimKernel, program: SimProgram, given: RunInput) -> RunOutput:
        """Run once on the context given; what the program wrote comes back."""
        refuse_if(given.flags or given.cpu or given.batch_size or given.repeat > 1)
        refuse_if(bool(given.data) and not self.takes_data)
        refuse_if(given.ctx is None and self.needs_context)
        raw, size = given.ctx or b"", self.whole.size
        with kernel.memory.scope() as scope:
            data = bytearray(raw[:size].ljust(size, b"\0"))
            region = scope.add(RegionKind.CONTEXT, data, name=self.layout.name)
            context = FieldContext(region, self.whole, kernel.memory.order)
            env = Environment(kernel, program, region.address, context)
            self.prepare(env, scope, context, given)
            retval = self.finish(env, context, invoke(env, scope))
            after = self.given_back(context, raw[size:]) if given.wants_ctx else None
            return RunOutput(retval, self.data_out(context), after)

    def prepare(self, env: Environment, scope: Scope, context: FieldContext, given: RunInput) -> None:
        """Put in what the test cannot give as a number: pointers to a socket, to a packet."""
        del env, scope, context
        refuse_if(any((given.ctx or b"")[self.whole.size :]), Errno.E2BIG)

    def finish(self, env: Environment, context: FieldContext, retval: int) -> int:
        """Do what the kernel does with the answer, and return what the run answers."""
        del env, context
        return retval

    def data_out(self, context: FieldContext) -> bytes | None:
        """Return the bytes that come out beside the context."""
        del context
        return None

    def given_back(self, context: FieldContext, rest: bytes) -> bytes:
        """Return the context as the test sees it: pointers are as they were given."""
        return context.shown() + rest


def _kept(field: ContextField, offset: int, size: int, kept: int | None, order: str) -> CtxField:
    """Say where the accessed bytes of a field are that the kernel keeps in fewer.

    A read of no fewer bytes than those gives the whole value, wherever in the field it begins (convert_ctx_accesses).
    """
    if kept is None or size < kept:
        return CtxField(Kind.SCALAR, offset, size)
    width = kept if size == field.size else size
    return CtxField(Kind.SCALAR, field.offset if order == "little" else field.end - width, width)
