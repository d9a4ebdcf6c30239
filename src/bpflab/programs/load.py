"""PROG_LOAD: what is sent, and what is said when it is refused."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.attach_types import AttachType
from bpflab.abi.commands import Command
from bpflab.abi.prog_types import ProgType
from bpflab.arguments import check_integer, check_type, enum_member
from bpflab.backend.attr import Attr
from bpflab.backend.call import failure, syscall_error
from bpflab.backend.descriptor import Descriptor
from bpflab.errors import ProgramError
from bpflab.programs.code import read_code
from bpflab.programs.program import Program
from bpflab.programs.verifier import VerifierError, VerifierStats, parse_stats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpflab.abi.flags import ProgFlag
    from bpflab.backend.attr import AttrValue
    from bpflab.backend.call import Caller
    from bpflab.lab import Lab
    from bpflab.programs.code import Code

NAME_LENGTH = 15
FUNC_INFO_SIZE = 8
FIRST_LOG = 1 << 16
LARGEST_LOG = 1 << 26
LOG_LEVEL_VERBOSE = 1
LOG_LEVEL_STATS = 4
ENOSPC = 28
EACCES = 13
EPERM = 1


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """Everything PROG_LOAD takes: `insns` whole 8-byte instructions, `options` further attr fields by name."""

    type: ProgType
    insns: bytes
    name: str
    license: str
    options: dict[str, AttrValue]

    def attr(self, **log: AttrValue) -> dict[str, AttrValue]:
        """Return the attr fields, with those of the log."""
        return {
            "prog_type": self.type,
            "insn_cnt": len(self.insns) // 8,
            "insns": self.insns,
            "license": self.license.encode() + b"\0",
            "prog_name": kernel_name(self.name),
            **self.options,
            **log,
        }


def load_program(
    lab: Lab,
    code: object,
    *,
    type: ProgType | str,  # noqa: A002 - the field's own word for it, used by keyword
    name: str = "",
    license: str = "GPL",  # noqa: A002 - as above
    attach_type: AttachType | str | int = 0,
    flags: ProgFlag | int = 0,
    **options: AttrValue,
) -> Program:
    """Load a program into the Lab's kernel.

    `code` is instruction bytes, assembler text, or a list of instructions; maps are named as they are in
    `lab.maps`. `name` is cut to the kernel's 15 characters; `options` are further fields of the PROG_LOAD attr,
    by their names in linux/bpf.h. VerifierError when the kernel refuses it, with its log.
    """
    check_type("license", license, str, "a string such as 'GPL'")
    check_type("name", name, str, "a string")
    check_integer("flags", flags, 0, (1 << 32) - 1)
    prog_type = enum_member("type", type, ProgType)
    attach = enum_member("attach_type", attach_type, AttachType)
    read = read_code(lab, code, prog_type, name)
    given: dict[str, AttrValue] = {"expected_attach_type": attach, "prog_flags": int(flags), **options}
    with _functions_known(lab, read) as known:
        request = LoadRequest(prog_type, read.insns, name, license, given | known)
        return adopt(lab, request, send(lab.call, request))


@contextmanager
def _functions_known(lab: Lab, code: Code) -> Iterator[dict[str, AttrValue]]:
    """Load the BTF of a program's functions until the program is loaded and holds it itself."""
    if not code.btf:
        yield {}
        return
    fd = lab.call(Command.BTF_LOAD, btf=code.btf, btf_size=len(code.btf)).result
    count = len(code.func_info) // FUNC_INFO_SIZE
    try:
        yield {
            "prog_btf_fd": fd,
            "func_info": code.func_info,
            "func_info_cnt": count,
            "func_info_rec_size": FUNC_INFO_SIZE,
        }
    finally:
        lab.backend.close(fd)


def adopt(lab: Lab, request: LoadRequest, fd: int) -> Program:
    """Make the live object of a program that was loaded, owned by the Lab."""
    descriptor = Descriptor(lab.backend, fd, f"Program {request.name or 'without a name'!r}")
    program = Program(lab, descriptor, type=request.type, name=request.name, insns=request.insns)
    program.loaded_by = request
    return lab.own(program)


def send(call: Caller, request: LoadRequest) -> int:
    """Send PROG_LOAD and return the program's descriptor; on failure once more for the verifier's log."""
    attr = Attr(Command.PROG_LOAD, request.attr())
    fd = call.send(Command.PROG_LOAD, attr)
    if fd >= 0:
        return fd
    errno = call.backend.errno()
    raise _refusal(request, errno, verifier_log(call, request))


def verifier_log(call: Caller, request: LoadRequest, level: int = LOG_LEVEL_VERBOSE) -> str:
    """Load the program again only for the log, in a buffer that grows until the log fits."""
    size = FIRST_LOG
    while True:
        buffer = ctypes.create_string_buffer(size)
        attr = Attr(Command.PROG_LOAD, request.attr(log_level=level, log_size=size, log_buf=buffer))
        fd = call.send(Command.PROG_LOAD, attr)
        if fd >= 0:
            call.backend.close(fd)
        elif call.backend.errno() == ENOSPC and size < LARGEST_LOG:
            size = min(LARGEST_LOG, max(size * 4, attr["log_true_size"]))
            continue
        return buffer.value.decode(errors="replace")


def verifier_stats(call: Caller, request: LoadRequest) -> VerifierStats | None:
    """Load the program again for the verifier's statistics; None where the backend gives none."""
    return parse_stats(verifier_log(call, request, LOG_LEVEL_STATS))


def kernel_name(name: str) -> bytes:
    """Return a name as the kernel takes it: 15 characters, letters, digits, `_` and `.`."""
    allowed = "".join(char if char.isascii() and (char.isalnum() or char in "_.") else "_" for char in name)
    return allowed[:NAME_LENGTH].encode()


def _refusal(request: LoadRequest, errno: int, log: str) -> Exception:
    label = request.name or request.type.name.lower()
    facts = failure(Command.PROG_LOAD, errno, request.attr())
    if log.strip():
        return VerifierError(label, log, facts)
    if errno in {EPERM, EACCES}:
        return syscall_error(Command.PROG_LOAD, errno, request.attr())
    return ProgramError(
        f"Program {label!r} was refused with {facts.name} ({facts.meaning}) before the verifier saw it: "
        f"{len(request.insns) // 8} instructions of type {request.type.name}. The kernel may lack the program type, "
        "or an attach type, flag or BTF id does not fit it."
    )
