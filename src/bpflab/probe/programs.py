"""Which program types and helpers a backend knows, found by loading the smallest programs.

A kernel that does not know a program type refuses it before its verifier runs; one that knows it either takes
the program or lets the verifier say what it dislikes. A helper is known when the verifier complains of its
arguments, not of the helper.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpflab.abi.commands import Command
from bpflab.abi.errno import errno_name
from bpflab.abi.flags import ProgFlag
from bpflab.abi.prog_types import ProgType
from bpflab.backend.attr import Attr
from bpflab.probe.finding import Answer, Finding

if TYPE_CHECKING:
    from bpflab.abi.attach_types import AttachType
    from bpflab.backend.base import Backend

LICENSE: Final = b"GPL\0"
LOG_SIZE: Final = 4096
EXIT: Final = (0x95, 0, 0)
"""opcode, register fields and imm of BPF_EXIT (RFC 9669, section 4.3)."""
MOV_R0_0: Final = (0xB7, 0, 0)
CALL: Final = 0x85
NOT_PERMITTED: Final = frozenset({1, 13})

WANTS_ATTACH_TYPE: Final = frozenset(
    {ProgType.CGROUP_SOCK_ADDR, ProgType.CGROUP_SOCKOPT, ProgType.SK_LOOKUP, ProgType.NETFILTER}
)
"""Types that are refused without an attach type of their own (`bpf_prog_load_check_attach` in kernel/bpf/syscall.c)."""

NEEDS_TARGET: Final = frozenset({ProgType.TRACING, ProgType.LSM, ProgType.EXT, ProgType.STRUCT_OPS})
"""Types whose instructions the verifier does not look at before it knows what they attach to."""

UNKNOWN_HELPER: Final = re.compile(r"(invalid|unknown) func |cannot use helper |helper .* not (allowed|supported)")
"""What the verifier says, across versions, of a helper that it does not have for a program type."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How the load of a small program ended: errno (0: it was taken) and the verifier's log."""

    errno: int
    log: str


def probe_program_type(backend: Backend, prog_type: ProgType) -> Finding:
    """Find whether programs of a type can be loaded."""
    trial = try_program(backend, prog_type, [MOV_R0_0, EXIT])
    if trial.errno == 0 or trial.log.strip():
        return Finding(prog_type.name, Answer.YES)
    return _refused(prog_type.name, trial.errno)


def probe_helper(backend: Backend, helper_id: int, prog_type: ProgType, name: str) -> Finding:
    """Find whether programs of a type can call a helper."""
    if prog_type in NEEDS_TARGET:
        return Finding(name, Answer.UNKNOWN, f"{prog_type.name} programs are loaded for a target only")
    trial = try_program(backend, prog_type, [(CALL, 0, helper_id), EXIT])
    if trial.errno == 0:
        return Finding(name, Answer.YES)
    if not trial.log.strip():
        return _refused(name, trial.errno)
    refused = UNKNOWN_HELPER.search(trial.log)
    return Finding(name, Answer.NO if refused else Answer.YES, refused.group().strip() if refused else "")


def try_program(backend: Backend, prog_type: ProgType, insns: list[tuple[int, int, int]]) -> Trial:
    """Load a program of a few instructions, and close it again."""
    log = ctypes.create_string_buffer(LOG_SIZE)
    code = b"".join(_insn(*insn, backend.byteorder) for insn in insns)
    attr = Attr(
        Command.PROG_LOAD,
        {
            "prog_type": prog_type,
            "expected_attach_type": attach_type_for(prog_type),
            "prog_flags": ProgFlag.SLEEPABLE if prog_type is ProgType.SYSCALL else 0,
            "insns": code,
            "insn_cnt": len(insns),
            "license": LICENSE,
            "log_level": 1,
            "log_size": LOG_SIZE,
            "log_buf": log,
        },
    )
    fd = backend.bpf(Command.PROG_LOAD, attr.pointer, attr.size)
    if fd >= 0:
        backend.close(fd)
    return Trial(0 if fd >= 0 else backend.errno(), log.value.decode(errors="replace"))


def attach_type_for(prog_type: ProgType) -> AttachType | int:
    """Return an attach type that programs of this type are loaded for; 0 where none need be given."""
    from bpflab.abi.sections import RULES

    if prog_type not in WANTS_ATTACH_TYPE:
        return 0
    return next((rule.attach for rule in RULES if rule.type is prog_type and rule.attach is not None), 0)


def _insn(opcode: int, registers: int, imm: int, byteorder: str) -> bytes:
    return bytes([opcode, registers, 0, 0]) + imm.to_bytes(4, "little" if byteorder == "little" else "big")


def _refused(name: str, errno: int) -> Finding:
    return Finding(name, Answer.NOT_PERMITTED if errno in NOT_PERMITTED else Answer.NO, errno_name(errno))
