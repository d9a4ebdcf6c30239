"""OBJ_GET_INFO_BY_FD: the caller's struct is read, filled in and written back as far as both know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.abi.info import BTF_INFO, LINK_INFO, MAP_INFO, PROG_INFO
from bpflab.sim import user
from bpflab.sim.btf import SimBtf
from bpflab.sim.commands.prog_load import FUNC_INFO_SIZE, LINE_INFO_SIZE
from bpflab.sim.links import SimLink
from bpflab.sim.maps.base import SimMap
from bpflab.sim.ops_links import OpsLink
from bpflab.sim.programs import SimProgram
from bpflab.sim.refusal import Refusal, refuse_if
from bpflab.sim.request import MAX_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from bpflab.abi.layout import Layout
    from bpflab.sim.kernel import SimKernel
    from bpflab.sim.request import Request

JITED_LINE_SIZE: Final = 8
HASH_SIZE: Final = 32
LINK_INFO_SIZE: Final = 64
"""sizeof(struct bpf_link_info) of Linux 6.18; the layout has room for more."""


class Info:
    """The struct of one answer, as the caller gave it and with what the kernel adds."""

    def __init__(self, request: Request, layout: Layout, known: int = 0) -> None:
        self._request = request
        self._address = request["info"]
        whole = -(-(known or layout.size) // 8) * 8
        self._length = min(request["info_len"], whole)
        self.layout = layout
        check_tail(self._address, request["info_len"], known or whole)
        given = user.read(self._address, self._length)
        self.data = bytearray(given.ljust(-(-layout.size // 8) * 8, b"\0"))

    def __getitem__(self, name: str) -> int:
        return self.layout.get(self.data, name)

    def set(self, **values: int | bytes) -> None:
        """Fill in fields."""
        for name, value in values.items():
            self.layout.set(self.data, name, value)

    def copy(self, count: str, pointer: str, data: bytes, unit: int = 1) -> None:
        """Copy to where the caller pointed, as much as it has room for, and tell how much there is."""
        room = self[count]
        self.set(**{count: len(data) // unit})
        if room and data:
            user.write(self[pointer] or 1, data[: room * unit])

    def finish(self) -> int:
        """Write the struct back."""
        user.write(self._address, bytes(self.data[: self._length]))
        self._request.answer("info_len", self._length)
        return 0


def obj_get_info_by_fd(kernel: SimKernel, request: Request) -> int:
    """Answer what is known of an object; EBADFD for no descriptor, EINVAL for something else."""
    try:
        target = kernel.files.get(request["bpf_fd"]).object
    except Refusal:
        raise Refusal(Errno.EBADFD) from None
    describe = next((function for kind, function in DESCRIBERS.items() if isinstance(target, kind)), None)
    if describe is None:
        raise Refusal(Errno.EINVAL)
    return describe(target, request)


def check_tail(address: int, length: int, known: int) -> None:
    """Refuse (E2BIG) a struct longer than a page, or not zero where the kernel knows no field."""
    refuse_if(length > MAX_SIZE, Errno.E2BIG)
    if length > known:
        refuse_if(any(user.read(address, length)[known:]), Errno.E2BIG)


def _map(target: SimMap, request: Request) -> int:
    info, spec = Info(request, MAP_INFO, MAP_INFO.size), target.spec
    refuse_if(info["hash"] and info["hash_size"] != HASH_SIZE)
    refuse_if(info["hash_size"] and not info["hash"])
    if info["hash"]:
        user.write(info["hash"], target.content_hash())
    info.set(
        type=target.type,
        id=target.id,
        key_size=target.key_size,
        value_size=target.value_size,
        max_entries=target.max_entries,
        map_flags=target.flags,
        map_extra=spec.extra,
        name=target.name.encode("latin-1"),
        btf_vmlinux_value_type_id=spec.btf_vmlinux_value_type_id,
    )
    if target.btf is not None:
        info.set(
            btf_id=target.btf.id,
            btf_key_type_id=spec.btf_key_type_id,
            btf_value_type_id=spec.btf_value_type_id,
        )
    return info.finish()


def _program(target: SimProgram, request: Request) -> int:
    info, spec = Info(request, PROG_INFO), target.spec
    for name, count, size in RECORDS:
        wrong = info[name] != size and (info[name] or info[count])
        refuse_if(wrong)
        info.set(**{name: size})
    ids = b"".join(each.id.to_bytes(4, target.kernel.machine.byteorder) for each in target.maps)
    info.copy("nr_map_ids", "map_ids", ids, 4)
    info.copy("xlated_prog_len", "xlated_prog_insns", target.xlated())
    info.copy("nr_func_info", "func_info", spec.func_info.cut(FUNC_INFO_SIZE), FUNC_INFO_SIZE)
    info.copy("nr_line_info", "line_info", spec.line_info.cut(LINE_INFO_SIZE), LINE_INFO_SIZE)
    info.copy("nr_prog_tags", "prog_tags", target.tag, len(target.tag))
    info.copy("nr_jited_ksyms", "jited_ksyms", bytes(8), 8)
    info.copy("nr_jited_func_lens", "jited_func_lens", bytes(4), 4)
    info.set(**_program_facts(target))
    return info.finish()


RECORDS: Final = (
    ("func_info_rec_size", "nr_func_info", FUNC_INFO_SIZE),
    ("line_info_rec_size", "nr_line_info", LINE_INFO_SIZE),
    ("jited_line_info_rec_size", "nr_jited_line_info", JITED_LINE_SIZE),
)


def _program_facts(target: SimProgram) -> dict[str, int | bytes]:
    spec = target.spec
    return {
        "type": target.type,
        "id": target.id,
        "tag": target.tag,
        "jited_prog_len": 0,
        "load_time": target.load_time,
        "created_by_uid": 0,
        "name": target.name.encode("latin-1"),
        "ifindex": spec.ifindex,
        "gpl_compatible": spec.gpl_compatible,
        "btf_id": target.btf.id if target.btf else 0,
        "nr_jited_line_info": 0,
        "run_time_ns": target.run_ns,
        "run_cnt": target.run_count,
        "recursion_misses": 0,
        "verified_insns": target.processed,
        "attach_btf_obj_id": 0,
        "attach_btf_id": spec.attach_btf_id,
    }


def _btf(target: SimBtf, request: Request) -> int:
    info = Info(request, BTF_INFO)
    info.copy("btf_size", "btf", target.data)
    refuse_if(bool(info["name"]) != bool(info["name_len"]))
    if info["name"]:
        user.write(info["name"], b"\0")
    info.set(id=target.id, kernel_btf=0, name_len=0)
    return info.finish()


def _link(target: SimLink | OpsLink, request: Request) -> int:
    info = Info(request, LINK_INFO, LINK_INFO_SIZE)
    program = target.program.id if isinstance(target, SimLink) else 0
    info.set(type=target.type, id=target.id, prog_id=program)
    target.describe(info.data)
    return info.finish()


DESCRIBERS: Final[Mapping[type, Callable[[Any, Request], int]]] = {
    SimMap: _map,
    SimProgram: _program,
    SimBtf: _btf,
    SimLink: _link,
    OpsLink: _link,
}
