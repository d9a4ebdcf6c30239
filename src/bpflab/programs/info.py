"""What a kernel says of a loaded program (OBJ_GET_INFO_BY_FD)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.abi.info import PROG_INFO
from bpflab.abi.prog_types import ProgType

if TYPE_CHECKING:
    from bpflab.backend.call import Caller


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """Facts of a loaded program.

    `xlated` are the instructions as the kernel rewrote them (empty without CAP_PERFMON and CAP_SYS_ADMIN),
    `jited_size` the bytes of machine code, `load_time` nanoseconds since boot, `run_time` nanoseconds and
    `run_count` while run statistics are on, `verified_insns` how many the verifier walked.
    """

    id: int
    type: ProgType
    name: str
    tag: str
    map_ids: tuple[int, ...]
    xlated: bytes
    jited_size: int
    gpl_compatible: bool
    btf_id: int
    load_time: int
    run_time: int
    run_count: int
    verified_insns: int


def program_info(call: Caller, fd: int) -> ProgramInfo:
    """Ask for a program's facts: once for the sizes, and once for the contents."""
    sizes = _ask(call, fd, bytearray(PROG_INFO.size))
    xlated = bytearray(PROG_INFO.get(sizes, "xlated_prog_len"))
    ids = bytearray(4 * PROG_INFO.get(sizes, "nr_map_ids"))
    request = bytearray(PROG_INFO.size)
    kept = _point(request, "xlated_prog_insns", xlated), _point(request, "map_ids", ids)
    PROG_INFO.set(request, "xlated_prog_len", len(xlated))
    PROG_INFO.set(request, "nr_map_ids", len(ids) // 4)
    answer = _ask(call, fd, request)
    del kept
    return _decoded(answer, bytes(xlated), bytes(ids))


def _ask(call: Caller, fd: int, info: bytearray) -> bytearray:
    call(Command.OBJ_GET_INFO_BY_FD, bpf_fd=fd, info_len=len(info), info=info)
    return info


def _point(info: bytearray, field: str, buffer: bytearray) -> object:
    from bpflab.backend.attr import pin

    kept, address = pin(buffer)
    PROG_INFO.set(info, field, address)
    return kept


def _decoded(info: bytearray, xlated: bytes, ids: bytes) -> ProgramInfo:
    fields = PROG_INFO.unpack(info)
    name, tag = bytes(fields["name"]), bytes(fields["tag"])
    number = {key: value for key, value in fields.items() if isinstance(value, int)}
    return ProgramInfo(
        id=number["id"],
        type=ProgType(number["type"]),
        name=name.rstrip(b"\0").decode(errors="replace"),
        tag=tag.hex(),
        map_ids=tuple(memoryview(ids).cast("I")),
        xlated=xlated,
        jited_size=number["jited_prog_len"],
        gpl_compatible=bool(number["gpl_compatible"] & 1),
        btf_id=number["btf_id"],
        load_time=number["load_time"],
        run_time=number["run_time_ns"],
        run_count=number["run_cnt"],
        verified_insns=number["verified_insns"],
    )
