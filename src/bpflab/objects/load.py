"""A spec made live: BTF, maps, programs, and what initialises maps with maps and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpflab.errors import ObjectError
from bpflab.objects.btf import load_btf
from bpflab.objects.fit import fitted
from bpflab.objects.loaded import LoadedObject
from bpflab.objects.maps import create_maps, initialise_maps
from bpflab.objects.modules import KernelModules, modules_of
from bpflab.objects.ops import create_ops
from bpflab.objects.program import Surroundings, load_program_spec
from bpflab.objects.source import choose_programs, own_copy, set_variable, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.obj.spec import ObjectSpec
    from bpflab.programs.program import Program


def load_object(
    lab: Lab,
    source: str | Path | bytes | ObjectSpec,
    *,
    programs: Iterable[str] | None = None,
    rodata: Mapping[str, int | bytes] | None = None,
    maps: Mapping[str, Map[Any, Any]] | None = None,
    inside: Mapping[str, Program] | None = None,
) -> LoadedObject:
    """Load an object into the Lab's kernel: its maps, then its programs.

    `source` is a C source (compiled and cached), an object file, its bytes or a spec. `programs` names those to
    load (all by default); `rodata` sets read-only variables before loading; `maps` are live maps that the object
    uses in the place of its own of that name; `inside` says of programs by name to whose function they attach.
    Everything belongs to the Lab.
    ObjectError, CompileError, VerifierError or MapError say what could not be done.
    """
    spec = own_copy(spec_of(source, lab.backend.byteorder))
    wanted = choose_programs(spec, None if programs is None else list(programs))
    for name, value in (rodata or {}).items():
        set_variable(spec, name, value)
    _check_byteorder(lab, spec)
    with KernelModules(lab) as modules:
        spec = fitted(lab.backend, spec, wanted, keep=rodata or (), modules=modules.read)
        of_modules = {name: modules.keep(name) for name in modules_of(spec)}
        btf, refusal = load_btf(lab, spec)
        used = create_maps(lab, spec, btf, maps or {})
        others = inside or {}
        ops = create_ops(lab, spec, btf)
        around = Surroundings(used, btf, modules, of_modules, spec.modules)
        live = {name: load_program_spec(lab, spec.programs[name], around, others.get(name)) for name in wanted}
    initialise_maps(spec, used, live)
    made = {name: each.made(live) for name, each in ops.items()}
    return LoadedObject(lab, spec, used, live, btf_refusal=refusal, ops=made)


def _check_byteorder(lab: Lab, spec: ObjectSpec) -> None:
    backend = lab.backend
    if spec.byteorder != backend.byteorder:
        raise ObjectError(
            f"{spec.name} is {spec.byteorder}-endian and the {backend.name} backend is {backend.byteorder}-endian; "
            "compile it for the other order, or load it into a simulated kernel of that order."
        )
