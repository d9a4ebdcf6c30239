"""The kernel functions that a program calls: found by BTF id, refused in words, bound to functions of Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from bpflab.abi.errno import Errno
from bpflab.abi.insn import CALL, CallSource
from bpflab.obj.btf_layout import resolved, size_of
from bpflab.obj.btf_types import Int, Pointer
from bpflab.sim.check.subject import KfuncFacts
from bpflab.sim.kfuncs import find_kfunc
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpflab.asm.insn import Insn
    from bpflab.obj.btf import Btf
    from bpflab.obj.btf_types import FuncProto
    from bpflab.sim.engine import HelperFunction, Run
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.log import Log
    from bpflab.sim.programs import ProgSpec

WORD = (1 << 64) - 1


@dataclass(slots=True)
class KfuncCalls:
    """By slot what the check needs to know of a call; by BTF id what the engine calls."""

    facts: dict[int, KfuncFacts] = field(default_factory=dict)
    functions: dict[int, HelperFunction] = field(default_factory=dict)


def kfunc_calls(kernel: SimKernel, spec: ProgSpec, log: Log) -> KfuncCalls:
    """Find the kernel functions that a program calls; refused, with the reason in the log, for what it cannot call."""
    found = KfuncCalls()
    for slot, insn in enumerate(spec.insns):
        if insn.opcode == CALL and insn.src == CallSource.KFUNC:
            found.facts[slot] = facts = _facts(kernel, insn, log)
            if not kernel.types.may_call(facts.name, spec.type):
                _refuse(log, f"calling kernel function {facts.name} is not allowed", Errno.EACCES)
            found.functions[insn.imm] = _bound(kernel, facts, log)
    return found


def _facts(kernel: SimKernel, insn: Insn, log: Log) -> KfuncFacts:
    if insn.off:
        _refuse(log, f"kernel function {insn.imm} is one of a module, and the simulated kernel has no modules")
    known = kernel.types.function(insn.imm)
    if known is None:
        _refuse(log, f"kernel btf_id {insn.imm} is not a function")
    function, proto = known
    return KfuncFacts(insn.imm, function.name, kernel.types.flags_of(function.name), proto)


def _bound(kernel: SimKernel, facts: KfuncFacts, log: Log) -> HelperFunction:
    overrides = kernel.world.kfuncs
    written = find_kfunc(facts.name) or overrides.get(facts.name)
    if written is None:
        _refuse(log, f"calling kernel function {facts.name} is not allowed: it is not simulated", Errno.EACCES)
    return bind(kernel.types.required(facts.name), facts, written, overrides)


def bind(
    btf: Btf, facts: KfuncFacts, written: Callable[..., int | None], overrides: dict[str, Callable[..., int | None]]
) -> HelperFunction:
    """Return what the engine calls: registers cut to their types, then the function or what replaces it."""
    converts = _converters(btf, facts.proto)
    name = facts.name

    def call(run: Run, *registers: int) -> int:
        run.env.run = run
        values = [convert(register) for convert, register in zip(converts, registers, strict=False)]
        return overrides.get(name, written)(run.env, *values) or 0

    return call


def _converters(btf: Btf, proto: FuncProto) -> list[Callable[[int], int]]:
    return [_converter(btf, parameter.type_id) for parameter in proto.parameters]


def _converter(btf: Btf, type_id: int) -> Callable[[int], int]:
    found = resolved(btf, type_id)
    if isinstance(found, Pointer):
        return lambda register: register & WORD
    bits = 8 * min(size_of(btf, type_id), 8)
    mask, sign = (1 << bits) - 1, 1 << (bits - 1)
    if isinstance(found, Int) and found.signed:
        return lambda register: ((register & mask) ^ sign) - sign
    return lambda register: register & mask


def _refuse(log: Log, text: str, errno: Errno = Errno.EINVAL) -> NoReturn:
    log.write(f"{text}\n")
    raise Refusal(errno)
