"""What programs that make system calls may ask for (kernel/bpf/syscall.c, kernel/bpf/btf.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpflab.abi.btf import BtfKind
from bpflab.abi.errno import Errno
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.test_run import Environment


def sys_close(env: Environment, fd: int) -> int:
    """Close a descriptor of the simulated kernel; EBADF."""
    try:
        env.kernel.files.close(fd)
    except Refusal as refusal:
        return -refusal.errno
    return 0


def btf_find_by_name_kind(env: Environment, name: bytes, name_sz: int, kind: int, flags: int) -> int:
    """Give the id of a type of the kernel; ENOENT, EINVAL for flags and a name without its final zero."""
    if flags or name_sz <= 1 or name[-1]:
        return -Errno.EINVAL
    types = env.kernel.types.btf
    if types is None:
        return -Errno.EINVAL
    text = name.partition(b"\0")[0].decode(errors="replace")
    found = types.find(text, BtfKind(kind)) if kind in set(BtfKind) else None
    return -Errno.ENOENT if found is None else found


def kallsyms_lookup_name(env: Environment, name: bytes, name_sz: int, flags: int, res: Buffer) -> int:
    """Give the address of a symbol of `world.symbols`; ENOENT, EINVAL for flags and a name without its final zero."""
    res.fill(b"")
    if flags or name_sz <= 1 or name[-1]:
        return -Errno.EINVAL
    found = env.kernel.world.symbols.get(name.partition(b"\0")[0].decode(errors="replace"), 0)
    res.write(found.to_bytes(8, env.kernel.memory.order))
    return 0 if found else -Errno.ENOENT
