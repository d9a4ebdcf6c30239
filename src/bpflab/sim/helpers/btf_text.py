"""Objects of the kernel as text, and the file of an iterator (kernel/trace/bpf_trace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.obj.btf_layout import size_of
from bpflab.sim.btf_text import BtfText
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.kernel_reads import read_kernel
from bpflab.sim.printf import check_words, format_text, words
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.seq import SeqFile
    from bpflab.sim.test_run import Environment

ALL_FLAGS: Final = 15
POINTER_SIZE: Final = 16
"""Bytes of struct btf_ptr: an address, a type's id, flags."""
LINE: Final = 1 << 15


def snprintf_btf(env: Environment, str: Buffer, str_size: int, ptr: bytes, btf_ptr_size: int, flags: int) -> int:
    """Write an object's text into a buffer; gives how long it is. EINVAL, ENOENT for a type that is none, EFAULT."""
    found = _text(env, ptr, btf_ptr_size, flags)
    if isinstance(found, Errno):
        return -found
    if str_size:
        str.write(found[: str_size - 1] + b"\0")
    return len(found)


def seq_printf_btf(env: Environment, m: int, ptr: bytes, ptr_size: int, flags: int) -> int:
    """Write an object's text into the file of an iterator; errors as above, EOVERFLOW when it is full."""
    found = _text(env, ptr, ptr_size, flags)
    return -found if isinstance(found, Errno) else _written(_file(env, m), found)


def seq_printf(env: Environment, m: int, fmt: bytes, fmt_size: int, data: bytes | None, data_len: int) -> int:
    """Write formatted values into the file of an iterator; EINVAL, EOVERFLOW when it is full."""
    del fmt_size
    try:
        check_words(data_len, given=data is not None)
        text = format_text(env.kernel.memory, fmt, words(data or b"", env.kernel.memory.order), LINE)
    except Refusal as refusal:
        return -refusal.errno
    return _written(_file(env, m), text)


def seq_write(env: Environment, m: int, data: bytes, len: int) -> int:
    """Write bytes into the file of an iterator; EOVERFLOW when it is full."""
    del len
    return _written(_file(env, m), data)


def _text(env: Environment, pointer: bytes, size: int, flags: int) -> bytes | Errno:
    order, types = env.kernel.memory.order, env.kernel.types.btf
    if flags & ~ALL_FLAGS or size != POINTER_SIZE or types is None:
        return Errno.EINVAL
    address, type_id = int.from_bytes(pointer[:8], order), int.from_bytes(pointer[8:12], order)
    if not type_id:
        return Errno.EINVAL
    if type_id not in types:
        return Errno.ENOENT
    data = read_kernel(env.kernel.memory, address, size_of(types, type_id))
    return data if isinstance(data, Errno) else BtfText(types, flags).text(type_id, data)


def _file(env: Environment, address: int) -> SeqFile:
    for each in env.kernel.world.files:
        if int(each) == address:
            return each
    raise Fault(FaultKind.HELPER_ARGUMENT, f"{address:#x} is no file of an iterator; make one: world.seq_file()")


def _written(file: SeqFile, data: bytes) -> int:
    return 0 if file.write(data) else -Errno.EOVERFLOW
