"""Names of open files, and what security programs ask of files (kernel/trace/bpf_trace.c, kernel/bpf/bpf_lsm.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab.abi.errno import Errno
from bpflab.sim.fault import Fault, FaultKind
from bpflab.sim.structs import KernelStruct

if TYPE_CHECKING:
    from bpflab.sim.bind import Buffer
    from bpflab.sim.test_run import Environment

SECURE_EXEC: Final = 1
"""BPF_F_BPRM_SECUREEXEC of linux/bpf.h."""


def d_path(env: Environment, path: int, buf: Buffer, sz: int) -> int:
    """Copy the full name of a path; gives its length with the zero, ENAMETOOLONG where it does not fit."""
    name = env.kernel.world.paths.get(path)
    if name is None:
        raise Fault(
            FaultKind.HELPER_ARGUMENT, f"{path:#x} is a path without a name; give one: world.file('/etc/passwd')"
        )
    text = name.encode() + b"\0"
    if not sz:
        return 0
    if len(text) > sz:
        return -Errno.ENAMETOOLONG
    buf.write(text)
    return len(text)


def bprm_opts_set(env: Environment, bprm: int, flags: int) -> int:
    """Ask for the secure mode of a program that is about to be executed, or not; EINVAL for other flags."""
    if flags & ~SECURE_EXEC:
        return -Errno.EINVAL
    region = env.kernel.memory.find(bprm)
    if region is not None and isinstance(region.owner, KernelStruct):
        region.owner.fill({"secureexec": flags & SECURE_EXEC})
    return 0


def ima_inode_hash(env: Environment, inode: int, dst: Buffer, size: int) -> int:
    """Answer EOPNOTSUPP, as a kernel without integrity measurement does."""
    del env, inode, dst, size
    return -Errno.EOPNOTSUPP


def ima_file_hash(env: Environment, file: int, dst: Buffer, size: int) -> int:
    """Answer EOPNOTSUPP, as a kernel without integrity measurement does."""
    del env, file, dst, size
    return -Errno.EOPNOTSUPP


def sock_from_file(env: Environment, file: int) -> int:
    """Give the socket that a file's `private_data` points to, if it is one: null without."""
    region = env.kernel.memory.find(file)
    owner = region.owner if region is not None else None
    return int(owner.private_data) if isinstance(owner, KernelStruct) else 0
