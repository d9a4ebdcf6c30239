"""One program of an object: its references to maps resolved, and loaded with its source lines."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpflab.abi.flags import ProgFlag
from bpflab.abi.prog_types import ProgType
from bpflab.abi.sections import why_unknown
from bpflab.errors import ObjectError
from bpflab.obj.insns import patch_imm
from bpflab.objects.target import attach_target
from bpflab.programs.load import LoadRequest, adopt, send
from bpflab.programs.verifier import VerifierError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpflab.backend.attr import AttrValue
    from bpflab.backend.descriptor import Descriptor
    from bpflab.lab import Lab
    from bpflab.maps.base import Map
    from bpflab.obj.relocations import Relocation
    from bpflab.obj.spec import ProgramSpec
    from bpflab.objects.modules import KernelModules
    from bpflab.programs.program import Program


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What programs of one object refer to: its maps, its BTF, and the kernel's modules.

    `of_modules` are the BTF of modules that instructions refer to, `called` names those whose functions programs
    call, in the order in which calls number them.
    """

    maps: Mapping[str, Map[Any, Any]]
    btf: Descriptor | None
    modules: KernelModules
    of_modules: Mapping[str, Descriptor]
    called: Sequence[str]

    def fd(self, relocation: Relocation) -> int:
        """Return the descriptor that an instruction is to have."""
        targets: Mapping[str, Map[Any, Any] | Descriptor] = self.maps if relocation.kind.about_map else self.of_modules
        return targets[relocation.symbol].fileno()

    @property
    def options(self) -> dict[str, AttrValue]:
        """The attr field by which calls find the functions of modules; entry 0 stands for the kernel itself."""
        fds = [self.of_modules[name].fileno() for name in self.called]
        return {"fd_array": struct.pack(f"={1 + len(fds)}i", 0, *fds)} if fds else {}


def load_program_spec(lab: Lab, spec: ProgramSpec, around: Surroundings, inside: Program | None = None) -> Program:
    """Load one program of an object, its maps being live; VerifierError with the kernel's log when it is refused.

    `inside` is the program to whose function it attaches.
    """
    if spec.type is ProgType.UNSPEC:
        raise ObjectError(f"Program {spec.name!r} cannot be loaded. {why_unknown(spec.section)}")
    insns = bytearray(spec.insns)
    for relocation in spec.relocations:
        patch_imm(insns, relocation.insn, around.fd(relocation), lab.backend.byteorder)
    options = load_options(lab, spec, around, inside)
    request = LoadRequest(spec.type, bytes(insns), spec.name, spec.license, options)
    program = adopt(lab, request, _sent(lab, request, spec))
    program.spec = spec
    return program


def _sent(lab: Lab, request: LoadRequest, spec: ProgramSpec) -> int:
    try:
        return send(lab.call, request)
    except VerifierError as error:
        error.locate(spec.lines)
        for each in spec.poisoned:
            error.add_note(f"Instruction {each.insn} was made invalid when the program was fitted: {each.reason}")
        raise


def load_options(
    lab: Lab, spec: ProgramSpec, around: Surroundings, inside: Program | None = None
) -> dict[str, AttrValue]:
    """Return the attr fields that a spec asks for beside type, code, name and licence."""
    flags = (ProgFlag.SLEEPABLE if spec.sleepable else 0) | (ProgFlag.XDP_HAS_FRAGS if spec.xdp_frags else 0)
    target = attach_target(lab, spec, around.modules, inside)
    options: dict[str, AttrValue] = {"prog_flags": int(flags) | spec.prog_flags, **target, **around.options}
    if spec.attach_type is not None:
        options["expected_attach_type"] = int(spec.attach_type)
    return options if around.btf is None else options | _source_lines(spec, around.btf)


def _source_lines(spec: ProgramSpec, btf: Descriptor) -> dict[str, AttrValue]:
    return {
        "prog_btf_fd": btf.fileno(),
        "func_info": spec.func_info,
        "func_info_cnt": len(spec.func_info) // spec.func_info_rec_size,
        "func_info_rec_size": spec.func_info_rec_size if spec.func_info else 0,
        "line_info": spec.line_info,
        "line_info_cnt": len(spec.line_info) // spec.line_info_rec_size,
        "line_info_rec_size": spec.line_info_rec_size if spec.line_info else 0,
    }
