"""Calls: of helpers, of subprograms, of kernel functions (RFC 9669 section 4.3.1).

Every call takes its arguments from r1 to r5, returns in r0 and clobbers r1 to r5.
"""

from __future__ import annotations

from bpflab.abi.insn import CALL, CALLX, CallSource
from bpflab.asm.insn import Insn
from bpflab.asm.item import Pending, RefKind
from bpflab.asm.operand import S32, Reg, number, offset16, register


def call(helper: str | int) -> Insn:
    """Call a helper by name, with or without `bpf_`, or by id.

    Raises UnknownHelperError, with names that are near, for a name that no kernel has.
    """
    if isinstance(helper, str):
        return Insn(CALL, imm=helper_id(helper))
    return Insn(CALL, imm=number(("call", helper), "the helper's id", helper, S32))


def helper_id(name: str) -> int:
    """Return the id of a helper's name, with or without `bpf_`."""
    from bpflab.abi.helpers import helper  # large table; only programs that name helpers need it

    return helper(name.removeprefix("bpf_")).id


def call_sub(target: str | int) -> Insn | Pending:
    """Call a subprogram of this program, at a label or so many instructions on."""
    if isinstance(target, str):
        return Pending(Insn(CALL, src=CallSource.SUBPROG.value), RefKind.CALL, target)
    imm = number(("call_sub", target), "the target", target, S32)
    return Insn(CALL, src=CallSource.SUBPROG.value, imm=imm)


def call_kfunc(kfunc: str | int, btf_index: int = 0) -> Insn | Pending:
    """Call a kernel function by name, which the loader resolves, or by the BTF id of its type.

    `btf_index` is 0 for vmlinux, else the place of the module's BTF in the fd_array of PROG_LOAD.
    """
    call = ("call_kfunc", kfunc, btf_index)
    insn = Insn(CALL, src=CallSource.KFUNC.value, off=offset16(call, btf_index, "the index"))
    if isinstance(kfunc, str):
        return Pending(insn, RefKind.KFUNC, kfunc)
    imm = number(call, "the BTF id", kfunc, S32)
    return Insn(CALL, src=CallSource.KFUNC.value, off=insn.off, imm=imm)


def callx(dst: Reg) -> Insn:
    """Call the function whose address is in a register. LLVM writes it; no kernel loads it yet."""
    return Insn(CALLX, register(("callx", dst), "dst", dst))
