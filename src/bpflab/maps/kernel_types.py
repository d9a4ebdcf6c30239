"""The BTF that the kernel holds for a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.commands import Command
from bpflab.abi.info import BTF_INFO
from bpflab.errors import BpfError

if TYPE_CHECKING:
    from bpflab.lab import Lab
    from bpflab.obj.btf import Btf


def types_of(lab: Lab, btf_id: int) -> Btf | None:
    """Read loaded BTF by its number; None for 0, and where the kernel or its privileges do not give it out."""
    if not btf_id:
        return None
    from bpflab.obj.btf import Btf

    try:
        fd = lab.call(Command.BTF_GET_FD_BY_ID, btf_id=btf_id).result
    except BpfError:
        return None
    try:
        return Btf(_data(lab, fd))
    finally:
        lab.backend.close(fd)


def _data(lab: Lab, fd: int) -> bytes:
    size = _size(lab, fd)
    data, info = bytearray(size), bytearray(BTF_INFO.size)
    from bpflab.backend.attr import pin

    kept, address = pin(data)
    BTF_INFO.set(info, "btf", address)
    BTF_INFO.set(info, "btf_size", size)
    lab.call(Command.OBJ_GET_INFO_BY_FD, bpf_fd=fd, info_len=len(info), info=info)
    del kept
    return bytes(data)


def _size(lab: Lab, fd: int) -> int:
    info = bytearray(BTF_INFO.size)
    lab.call(Command.OBJ_GET_INFO_BY_FD, bpf_fd=fd, info_len=len(info), info=info)
    return BTF_INFO.get(info, "btf_size")
