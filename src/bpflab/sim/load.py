"""From a program's spec to a program that an engine can run: resolved, checked, rewritten, prepared."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from bpflab.abi.context import layout_of
from bpflab.abi.errno import Errno
from bpflab.abi.flags import MapFlag, ProgFlag
from bpflab.abi.helpers import ReturnKind, table
from bpflab.abi.insn import CALL, WideSource
from bpflab.abi.map_types import MapType
from bpflab.abi.prog_types import ProgType
from bpflab.sim.check import MapFacts, MapReference, Refused, Subject, check_once, rewrite
from bpflab.sim.engine import prepare
from bpflab.sim.exceptions import exception_callback
from bpflab.sim.functions import functions
from bpflab.sim.hooks import OpaqueHook, find_hook
from bpflab.sim.hooks.typed import prototype
from bpflab.sim.kfunc_calls import KfuncCalls, kfunc_calls
from bpflab.sim.kptrs import PER_CPU, kernel_pointers
from bpflab.sim.maps.arena import ArenaMap
from bpflab.sim.maps.map_in_map import ArrayOfMaps, HashOfMaps
from bpflab.sim.maps.prog_array import ProgArrayMap
from bpflab.sim.programs import ProgSpec, SimProgram
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.relocate import WITH_VALUE, Resolver

if TYPE_CHECKING:
    from bpflab.sim.btf import SimBtf
    from bpflab.sim.check import Checked
    from bpflab.sim.engine.step import Cast
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.log import Log
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.maps.spec import MapTraits
    from bpflab.sim.relocate import Addresses
    from bpflab.sim.request import Request

RDONLY_PROG: Final = int(MapFlag.RDONLY_PROG)
MAY_WRITE: Final = frozenset({ProgType.STRUCT_OPS})
"""Types whose programs may write to some fields of the kernel's objects; which ones is not looked at."""
VOID_TYPES: Final = frozenset({ProgType.STRUCT_OPS, ProgType.LSM})
TO_PROGRAM, TO_USER = 1, 1 << 16
"""The imm of an address_space cast: the space it comes from in the low half, the one it goes to in the high half."""
MAX_FROZEN: Final = 1 << 20
"""Contents of read-only maps up to this many bytes are shown to the check."""


def load(kernel: SimKernel, spec: ProgSpec, request: Request, btf: SimBtf | None, log: Log) -> SimProgram:
    """Make a program ready and give it an id; refuses what the kernel would, and says why in the log."""
    resolver = Resolver(kernel, spec.insns, request["fd_array"], log)
    addresses = resolver.resolve()
    calls = kfunc_calls(kernel, spec, log)
    subject = _subject(kernel, spec, btf, addresses, calls)
    subject = replace(subject, exception_callback=exception_callback(spec.func_info, btf, log))
    checked = _check(kernel, spec, subject, log)
    engine = prepare(
        rewrite(spec.insns, checked.context),
        kernel.memory,
        helpers=kernel.helpers(spec.type),
        kfuncs=calls.functions,
        addresses=addresses.values,
        name=spec.name,
        strict_alignment=bool(spec.flags & ProgFlag.STRICT_ALIGNMENT),
        probes=checked.probes,
        casts=_casts(addresses),
    )
    engine.exception_callback = subject.exception_callback
    bound = resolver.bound(request["fd_array_cnt"])
    program = SimProgram(kernel, spec, engine, map_slots=addresses.maps, bound=bound, btf=btf)
    program.returns_nothing = _returns_nothing(spec)
    program.processed = checked.processed
    program.context_end = max((field.offset + field.size for field in checked.context.values()), default=0)
    try:
        _adopt(program)
    except Refusal:
        program.put()
        raise
    return kernel.programs.add(program)


def _casts(addresses: Addresses) -> dict[int, Cast]:
    """Return the casts between address spaces, by imm (from 1 to 0, from 0 to 1), if the program has an arena."""
    arena = next((each for each in addresses.maps.values() if isinstance(each, ArenaMap)), None)
    return {} if arena is None else {TO_PROGRAM: arena.to_kernel, TO_USER: arena.to_user}


def _adopt(program: SimProgram) -> None:
    """Refuse (EINVAL) a program that does not go with those in a PROG_ARRAY it uses; EACCES for others' maps."""
    for target in program.maps:
        refuse_if(isinstance(target, ProgArrayMap) and not target.adopt(program))
        refuse_if(target.exclusive and target.exclusive != program.digest, Errno.EACCES)


def _check(kernel: SimKernel, spec: ProgSpec, subject: Subject, log: Log) -> Checked:
    try:
        rules = (spec.expected_attach_type, spec.attach_btf_id, tuple(sorted(kernel.world.helpers)))
        checked = check_once(subject, rules)
    except Refused as refused:
        log.write(refused.log)
        raise Refusal(refused.errno) from None
    log.write(checked.log)
    return checked


def _subject(kernel: SimKernel, spec: ProgSpec, btf: SimBtf | None, addresses: Addresses, calls: KfuncCalls) -> Subject:
    hook, helpers, structure = find_hook(spec.type), kernel.helpers(spec.type), layout_of(spec.type)
    known = functions(spec.func_info, btf, structure.name if structure else None)
    anything = isinstance(hook, OpaqueHook)
    maps = {slot: _reference(spec, slot, target) for slot, target in addresses.maps.items()}
    keeps = any(each.map.pointers for each in maps.values())
    typed = bool(keeps or calls.facts or addresses.symbols or spec.attach_btf_id or _gets_typed(spec))

    def allowed(number: int) -> bool:
        return hook.helper_allowed(spec, number) and (anything or number in helpers)

    return Subject(
        insns=spec.insns,
        type=spec.type,
        context=hook.context(spec),
        helper_allowed=allowed,
        maps=maps,
        gpl=spec.gpl_compatible,
        strict_alignment=bool(spec.flags & ProgFlag.STRICT_ALIGNMENT),
        return_range=hook.return_range(spec),
        packet_writable=hook.packet_writable(spec),
        names={function.insn: function.name for function in known},
        globals={each.insn: each.contexts for each in known if each.is_global and each.insn},
        byteorder=kernel.machine.byteorder,
        sleepable=bool(spec.flags & ProgFlag.SLEEPABLE),
        func_info=bool(known),
        kernel_types=kernel.types.btf if typed else None,
        own_types=btf.types if btf is not None else None,
        writable_types=spec.type in MAY_WRITE,
        returns_nothing=_returns_nothing(spec),
        kfuncs=calls.facts,
        symbols=addresses.symbols,
    )


def _gets_typed(spec: ProgSpec) -> bool:
    """Say whether a program calls a helper that gives it an object of one of the kernel's types."""
    calls = (insn.imm for insn in spec.insns if insn.opcode == CALL and not insn.src)
    return not typed_helpers().isdisjoint(calls)


@cache
def typed_helpers() -> frozenset[int]:
    """Return the ids of helpers whose result is a pointer to one of the kernel's types."""
    return frozenset(row.id for row in table() if row.returns.kind is ReturnKind.BTF_PTR)


def _returns_nothing(spec: ProgSpec) -> bool:
    """Say whether a program stands for a function without a result: r0 need not be set at its end then."""
    found = prototype(spec) if spec.type in VOID_TYPES else None
    return found is not None and not found[1].return_id


def _reference(spec: ProgSpec, slot: int, target: SimMap) -> MapReference:
    value = WideSource(spec.insns[slot].src) in WITH_VALUE
    return MapReference(facts(target), spec.insns[slot + 1].imm & 0xFFFFFFFF if value else None)


def facts(target: SimMap) -> MapFacts:
    """Tell the check about a map."""
    inner = target.template if isinstance(target, ArrayOfMaps | HashOfMaps) else None
    constant = target.type == MapType.ARRAY and target.frozen and target.flags & RDONLY_PROG
    small = target.max_entries * target.value_size <= MAX_FROZEN
    return MapFacts(
        id=target.id,
        type=target.type,
        key_size=target.key_size,
        value_size=target.value_size,
        max_entries=target.max_entries,
        flags=MapFlag(target.flags),
        name=target.name,
        frozen=target.sys_lookup(bytes(4), 0) if constant and small else b"",
        value_type=target.spec.btf_value_type_id if target.btf is not None else 0,
        pointers=kernel_pointers(target, target.kernel.types.btf) if target.fields else (),
        res_lock=_place(target, "bpf_res_spin_lock"),
        work=_place(target, "bpf_wq"),
        fields=target.fields,
        per_cpu=frozenset(each.offset for each in target.fields if each.name == PER_CPU),
        inner=inner_facts(inner) if inner else None,
    )


def _place(target: SimMap, name: str) -> int | None:
    """Return the offset of a field of the kernel's in a map's value, None where there is none."""
    return next((field.offset for field in target.fields if field.name == name), None)


def inner_facts(template: MapTraits) -> MapFacts:
    """Tell the check about the maps in a map: their id is not known, so they are taken as the same one."""
    return MapFacts(
        id=0,
        type=template.type,
        key_size=template.key_size,
        value_size=template.value_size,
        max_entries=template.max_entries,
        flags=MapFlag(template.flags),
        fields=template.fields,
    )
