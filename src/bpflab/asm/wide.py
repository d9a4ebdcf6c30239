"""64-bit immediates and the addresses that stand in them (RFC 9669 section 5.4). Each is two slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.insn import LD_IMM64, WideSource
from bpflab.asm.insn import Insn, signed32, split_imm64
from bpflab.asm.item import Pending, RefKind
from bpflab.asm.operand import ANY64, S32, U32, number, register

if TYPE_CHECKING:
    from bpflab.asm.operand import Reg

Wide = tuple[Insn, Insn]


def ld_imm64(dst: Reg, value: int) -> Wide:
    """Load a 64-bit number, signed or unsigned."""
    call = ("ld_imm64", dst, value)
    words = split_imm64(number(call, "the immediate", value, ANY64))
    return _wide(register(call, "dst", dst), WideSource.IMM, *words)


def ld_map(dst: Reg, map_: str | int) -> Wide | Pending:
    """Load the address of a map, by its name or by its fd."""
    call = ("ld_map", dst, map_)
    reg = register(call, "dst", dst)
    if isinstance(map_, str):
        return Pending(Insn(LD_IMM64, reg, WideSource.MAP_FD.value), RefKind.MAP, map_)
    return _wide(reg, WideSource.MAP_FD, _u32(call, "the fd", map_), 0)


def ld_map_value(dst: Reg, map_: str | int, offset: int = 0) -> Wide | Pending:
    """Load the address of a byte in the value of an array map of one entry."""
    call = ("ld_map_value", dst, map_, offset)
    reg, at = register(call, "dst", dst), _u32(call, "the offset", offset)
    if isinstance(map_, str):
        return Pending(Insn(LD_IMM64, reg, WideSource.MAP_VALUE.value), RefKind.MAP_VALUE, map_, offset)
    return _wide(reg, WideSource.MAP_VALUE, _u32(call, "the fd", map_), at)


def ld_map_index(dst: Reg, index: int) -> Wide:
    """Load the address of a map by its place in the fd_array of PROG_LOAD."""
    call = ("ld_map_index", dst, index)
    return _wide(register(call, "dst", dst), WideSource.MAP_IDX, _u32(call, "the index", index), 0)


def ld_map_index_value(dst: Reg, index: int, offset: int = 0) -> Wide:
    """Load the address of a byte in the value of the map at a place of fd_array."""
    call = ("ld_map_index_value", dst, index, offset)
    words = _u32(call, "the index", index), _u32(call, "the offset", offset)
    return _wide(register(call, "dst", dst), WideSource.MAP_IDX_VALUE, *words)


def ld_data(dst: Reg, symbol: str, offset: int = 0) -> Pending:
    """Load the address of a byte behind a data symbol (see `data`)."""
    call = ("ld_data", dst, symbol, offset)
    reg = register(call, "dst", dst)
    number(call, "the offset", offset, U32)
    return Pending(Insn(LD_IMM64, reg, WideSource.MAP_VALUE.value), RefKind.DATA, symbol, offset)


def ld_func(dst: Reg, target: str | int) -> Wide | Pending:
    """Load the address of a subprogram, for a helper that calls it back.

    The target is a label, or instructions to skip from the one after this slot, as in a call.
    """
    call = ("ld_func", dst, target)
    reg = register(call, "dst", dst)
    if isinstance(target, str):
        return Pending(Insn(LD_IMM64, reg, WideSource.FUNC.value), RefKind.FUNC, target)
    return _wide(reg, WideSource.FUNC, number(call, "the target", target, S32), 0)


def ld_btf_id(dst: Reg, btf_id: int, btf_fd: int = 0) -> Wide:
    """Load the address of a kernel variable, by its BTF id in vmlinux (fd 0) or a module's BTF."""
    call = ("ld_btf_id", dst, btf_id, btf_fd)
    words = _u32(call, "the BTF id", btf_id), _u32(call, "the fd", btf_fd)
    return _wide(register(call, "dst", dst), WideSource.BTF_ID, *words)


def _u32(call: tuple[object, ...], what: str, value: int) -> int:
    return signed32(number(call, what, value, U32))


def _wide(dst: int, source: WideSource, low: int, high: int) -> Wide:
    return Insn(LD_IMM64, dst, source.value, imm=low), Insn(0, imm=high)
