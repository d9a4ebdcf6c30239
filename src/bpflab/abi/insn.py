"""The fields of a BPF instruction, from RFC 9669 and linux/bpf.h.

An instruction is eight bytes: opcode (8 bits), destination and source register (4 bits each),
offset (16 bits, signed), immediate (32 bits, signed). The opcode is the sum of a class and, by
class, an operation and a source (ALU, JMP) or a mode and a size (loads and stores).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

INSN_SIZE: Final = 8
"""Bytes of one instruction; a 64-bit immediate load takes two (RFC 9669 section 3)."""

REG_COUNT: Final = 11
"""r0 to r10; r10 is the read-only frame pointer (linux/bpf.h, MAX_BPF_REG)."""

MAX_ARGUMENTS: Final = 5
"""r1 to r5 carry the arguments of a call."""

STACK_SIZE: Final = 512
"""Bytes of stack below r10 in one frame (linux/filter.h, MAX_BPF_STACK)."""

MAX_TAIL_CALLS: Final = 33
"""Tail calls one run may make (linux/bpf.h, MAX_TAIL_CALL_CNT)."""

MAX_CALL_FRAMES: Final = 8
"""Functions that may be under way at once, the first included (linux/bpf_verifier.h)."""

MAX_LOOPS: Final = 8 * 1024 * 1024
"""Iterations that may_goto, bpf_loop and their like allow (linux/bpf.h, BPF_MAX_LOOPS)."""

MAX_INSNS: Final = 1_000_000
"""Instructions a privileged program may have (linux/bpf.h, BPF_COMPLEXITY_LIMIT_INSNS)."""

CLASS_MASK: Final = 0x07
SIZE_MASK: Final = 0x18
MODE_MASK: Final = 0xE0
SOURCE_MASK: Final = 0x08
OPERATION_MASK: Final = 0xF0


class InsnClass(IntEnum):
    """What kind of instruction this is: the low three bits of the opcode."""

    LD = 0x00
    LDX = 0x01
    ST = 0x02
    STX = 0x03
    ALU = 0x04
    JMP = 0x05
    JMP32 = 0x06
    ALU64 = 0x07


class Size(IntEnum):
    """The width of a load, store or atomic, as its opcode has it; `width` gives bytes."""

    W = 0x00
    H = 0x08
    B = 0x10
    DW = 0x18

    @property
    def width(self) -> int:
        """Bytes moved: 1, 2, 4 or 8."""
        return {Size.B: 1, Size.H: 2, Size.W: 4, Size.DW: 8}[self]


class Mode(IntEnum):
    """How a load or store finds its memory."""

    IMM = 0x00
    ABS = 0x20
    IND = 0x40
    MEM = 0x60
    MEMSX = 0x80
    ATOMIC = 0xC0


class Source(IntEnum):
    """Where the second operand of ALU and JMP comes from: the immediate (K) or src (X)."""

    K = 0x00
    X = 0x08


class AluOp(IntEnum):
    """An operation of ALU and ALU64 (RFC 9669 section 4.1).

    DIV and MOD with off 1 are signed; MOV with off 8, 16 or 32 extends the sign.
    """

    ADD = 0x00
    SUB = 0x10
    MUL = 0x20
    DIV = 0x30
    OR = 0x40
    AND = 0x50
    LSH = 0x60
    RSH = 0x70
    NEG = 0x80
    MOD = 0x90
    XOR = 0xA0
    MOV = 0xB0
    ARSH = 0xC0
    END = 0xD0


class JmpOp(IntEnum):
    """An operation of JMP and JMP32 (RFC 9669 section 4.3; JCOND from linux/bpf.h)."""

    JA = 0x00
    JEQ = 0x10
    JGT = 0x20
    JGE = 0x30
    JSET = 0x40
    JNE = 0x50
    JSGT = 0x60
    JSGE = 0x70
    CALL = 0x80
    EXIT = 0x90
    JLT = 0xA0
    JLE = 0xB0
    JSLT = 0xC0
    JSLE = 0xD0
    JCOND = 0xE0


class AtomicOp(IntEnum):
    """What an atomic does, in its immediate (RFC 9669 section 5.3; the last two linux/bpf.h)."""

    ADD = 0x00
    FETCH_ADD = 0x01
    OR = 0x40
    FETCH_OR = 0x41
    AND = 0x50
    FETCH_AND = 0x51
    XOR = 0xA0
    FETCH_XOR = 0xA1
    XCHG = 0xE1
    CMPXCHG = 0xF1
    LOAD_ACQ = 0x100
    STORE_REL = 0x110


class WideSource(IntEnum):
    """What the 64-bit immediate of LD|DW|IMM means, in src (RFC 9669 section 5.4)."""

    IMM = 0
    MAP_FD = 1
    MAP_VALUE = 2
    BTF_ID = 3
    FUNC = 4
    MAP_IDX = 5
    MAP_IDX_VALUE = 6


class CallSource(IntEnum):
    """What a call's immediate means, in src: helper id, insns to jump, BTF id of a kfunc."""

    HELPER = 0
    SUBPROG = 1
    KFUNC = 2


class AddrSpaceCast(IntEnum):
    """Which way MOV|X with off 1 casts between arena and kernel; imm is dst_as << 16 | src_as."""

    TO_KERNEL = 1
    TO_ARENA = 0x10000


ADDR_SPACE_CAST_OFF: Final = 1
"""The offset that makes of a 64-bit register move a cast of address spaces (linux/bpf.h)."""

LD_IMM64: Final = InsnClass.LD | Mode.IMM | Size.DW
CALL: Final = InsnClass.JMP | JmpOp.CALL
CALLX: Final = InsnClass.JMP | JmpOp.CALL | Source.X
EXIT: Final = InsnClass.JMP | JmpOp.EXIT
JA: Final = InsnClass.JMP | JmpOp.JA
GOTOL: Final = InsnClass.JMP32 | JmpOp.JA
MAY_GOTO: Final = InsnClass.JMP | JmpOp.JCOND
GOTOX: Final = InsnClass.JMP | JmpOp.JA | Source.X

COMPARISONS: Final = frozenset(JmpOp) - {JmpOp.JA, JmpOp.CALL, JmpOp.EXIT, JmpOp.JCOND}
"""The operations that compare two operands, and so have all forms of source and class."""

OPCODES: Final = (
    frozenset(
        {
            *(cls | op | source for cls in (InsnClass.ALU, InsnClass.ALU64) for op in AluOp for source in Source),
            *(cls | op | source for cls in (InsnClass.JMP, InsnClass.JMP32) for op in COMPARISONS for source in Source),
            *(cls | Mode.MEM | size for cls in (InsnClass.LDX, InsnClass.ST, InsnClass.STX) for size in Size),
            *(InsnClass.LDX | Mode.MEMSX | size for size in (Size.B, Size.H, Size.W)),
            *(InsnClass.STX | Mode.ATOMIC | size for size in Size),
            *(InsnClass.LD | mode | size for mode in (Mode.ABS, Mode.IND) for size in (Size.B, Size.H, Size.W)),
            *(LD_IMM64, CALL, EXIT, JA, GOTOL, MAY_GOTO),
        }
    )
    - {cls | AluOp.NEG | Source.X for cls in (InsnClass.ALU, InsnClass.ALU64)}
    - {InsnClass.ALU64 | AluOp.END | Source.X}
)
"""The opcodes that a kernel of version 6.18 takes (kernel/bpf/core.c, bpf_opcode_in_insntable)."""
