"""Programs that call helpers on a socket buffer one after the other, and what could be seen afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bpflab import Lab, SkBuff
from bpflab.abi.context import layout
from bpflab.abi.helpers import MEMORY_KINDS, Argument, ArgumentKind, helper
from bpflab.abi.prog_types import ProgType
from bpflab.asm import (
    DW,
    ByteOrder,
    W,
    add,
    call,
    exit_,
    jgt,
    ld_imm64,
    ld_map_value,
    ldx,
    mov,
    r0,
    r1,
    r2,
    r3,
    r4,
    r5,
    r6,
    r7,
    r8,
    r10,
    stx,
)
from bpflab.backend.select import kernel_refusal
from bpflab.errors import SyscallError

SLOT = 128
"""Bytes that each call has in the map: what it returned, and the memory that it filled."""
STATE = 2048
"""Where in the map the context's fields are noted in the end."""
DIRECT = 3072
"""Where the packet's first eight bytes are noted as programs reach them directly, if there are so many."""
SIZE = 4096
ARGUMENTS = (r1, r2, r3, r4, r5)
SK_BUFF = layout("__sk_buff")
COMMON = ("len", "pkt_type", "mark", "protocol", "vlan_present", "vlan_tci", "vlan_proto", "priority", "ifindex")
SEGMENTS = ("gso_segs", "gso_size", "hash")
TC_ONLY = ("queue_mapping", "tc_index", "tc_classid", "wire_len")
FIELDS = {"sched_cls": COMMON + SEGMENTS + TC_ONLY, "sched_act": COMMON + SEGMENTS + TC_ONLY}
WITHOUT_DIRECT = "socket_filter"
VERDICT_IS_FIXED = "cgroup_skb"

Helper = tuple[Any, ...]
"""A helper's name and its arguments but the packet: numbers; for memory bytes, a size to be filled, or None."""


@dataclass(frozen=True)
class Outcome:
    """What the calls returned, the memory that they filled, and everything that came out."""

    results: tuple[int, ...]
    memory: tuple[bytes, ...]
    fields: dict[str, int]
    direct: bytes
    data: bytes
    ctx: bytes | None
    retval: int

    @property
    def result(self) -> int:
        """What the last call returned."""
        return self.results[-1]


@dataclass
class Calls:
    """Runs calls of helpers on one Lab."""

    lab: Lab
    notes: Any = field(init=False)

    def __post_init__(self) -> None:
        self.notes = self.lab.map("array", key="u32", value=SIZE, max_entries=1, name="notes")

    def __call__(self, *calls: Helper, packet: bytes, **options: Any) -> Outcome:
        """Run, and give what came out; the run must not be refused."""
        outcome = self.attempt(calls, packet, **options)
        assert isinstance(outcome, Outcome), f"refused: errno {outcome}"
        return outcome

    def attempt(
        self, calls: Sequence[Helper], packet: bytes, *, prog_type: str = "sched_cls", ctx: Any = None, **run: Any
    ) -> Outcome | int:
        """Run, and give what came out, or the errno of the refused run."""
        self.notes[0] = bytes(SIZE)
        order = self.lab.backend.byteorder
        code = program_of(calls, prog_type, self.notes.fileno(), order)
        program = self.lab.program(code, type=prog_type, name="calls")
        try:
            result = program.run(packet, ctx or SkBuff(), **run)
        except SyscallError as error:
            return error.errno
        finally:
            program.close()
        notes = bytes(self.notes[0])
        names = FIELDS.get(prog_type, COMMON + SEGMENTS)
        return Outcome(
            results=tuple(number(notes, SLOT * at, order) for at in range(len(calls))),
            memory=tuple(notes[SLOT * at + 8 :][: room_of(each, prog_type)] for at, each in enumerate(calls)),
            fields={name: number(notes, STATE + 8 * at, order) for at, name in enumerate(names)},
            direct=notes[DIRECT : DIRECT + 8],
            data=result.data,
            ctx=result.raw_ctx,
            retval=result.retval,
        )


def number(notes: bytes, at: int, order: ByteOrder) -> int:
    return int.from_bytes(notes[at : at + 8], order, signed=True)


def arguments_of(each: Helper, prog_type: str) -> list[tuple[Argument, Any]]:
    """Pair the helper's arguments with the values given; the packet itself with nothing."""
    given = iter(each[1:])
    rows = helper(each[0]).arguments_in(ProgType[prog_type.upper()])
    return [(row, None if row.kind is ArgumentKind.CTX else next(given)) for row in rows]


def room_of(each: Helper, prog_type: str) -> int:
    return sum(value for row, value in arguments_of(each, prog_type) if row.kind is ArgumentKind.MEM_UNINIT)


def program_of(calls: Sequence[Helper], prog_type: str, notes: int, order: ByteOrder) -> list[object]:
    code: list[object] = [mov(r6, r1), mov(r7, 0)]
    for at, each in enumerate(calls):
        code += called(each, prog_type, [ld_map_value(r8, notes, SLOT * at), stx(DW, r8, r7, 0)], order)
    code += noted_fields(prog_type, notes)
    if prog_type != WITHOUT_DIRECT:
        code += noted_packet(notes)
    return [*code, mov(r0, 1) if prog_type == VERDICT_IS_FIXED else mov(r0, r7), exit_()]


def called(each: Helper, prog_type: str, noted: list[object], order: ByteOrder) -> list[object]:
    """Call, and note what is returned and filled; memory is laid out on the stack."""
    before: list[object] = []
    after: list[object] = []
    top = 0
    for reg, (row, value) in zip(ARGUMENTS, arguments_of(each, prog_type), strict=False):
        if row.kind is ArgumentKind.CTX:
            after.append(mov(reg, r6))
        elif row.kind not in MEMORY_KINDS:
            after.append(ld_imm64(reg, value & (1 << 64) - 1))
        elif value is None:
            after.append(mov(reg, 0))
        else:
            content = bytes(value).ljust(len(bytes(value)) + -len(bytes(value)) % 8, b"\xaa")
            top -= len(content)
            before += laid_out(content, top, order)
            after += [mov(reg, r10), add(reg, top)]
            if row.kind is ArgumentKind.MEM_UNINIT:
                noted = noted + copied(top, len(content))
    return [*before, *after, call(each[0]), mov(r7, r0), *noted]


def laid_out(content: bytes, top: int, order: ByteOrder) -> list[object]:
    words = [(at, int.from_bytes(content[at : at + 8], order)) for at in range(0, len(content), 8)]
    return [item for at, word in words for item in (ld_imm64(r0, word), stx(DW, r10, r0, top + at))]


def copied(top: int, size: int) -> list[object]:
    return [item for at in range(0, size, 8) for item in (ldx(DW, r3, r10, top + at), stx(DW, r8, r3, 8 + at))]


def noted_fields(prog_type: str, notes: int) -> list[object]:
    code: list[object] = [ld_map_value(r8, notes, STATE)]
    for at, name in enumerate(FIELDS.get(prog_type, COMMON + SEGMENTS)):
        code += [ldx(W, r3, r6, SK_BUFF.field(name).offset), stx(DW, r8, r3, 8 * at)]
    return code


def noted_packet(notes: int) -> list[object]:
    data, end = (SK_BUFF.field(name).offset for name in ("data", "data_end"))
    reads: list[object] = [ldx(W, r2, r6, data), ldx(W, r3, r6, end), mov(r4, r2), add(r4, 8), jgt(r4, r3, 4)]
    return [*reads, ldx(DW, r5, r2, 0), ld_map_value(r8, notes, DIRECT), stx(DW, r8, r5, 0)]


@pytest.fixture
def calls(bpf: Lab) -> Calls:
    """Run calls of helpers on the backend of the test."""
    return Calls(bpf)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Calls, Calls]]:
    """Run calls of helpers on the running kernel and on the simulated one."""
    refusal = kernel_refusal()
    if refusal:
        pytest.skip(refusal)
    with Lab("kernel") as kernel, Lab("sim") as sim:
        yield Calls(kernel), Calls(sim)
