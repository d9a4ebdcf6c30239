"""Tasks of the simulated world: who runs when a program does, and whose structure, stack and memory it asks for."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from bpflab.abi.btf import BtfKind
from bpflab.sim.region import RegionKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpflab.abi.layout import ByteOrder
    from bpflab.sim.cgroups import Cgroup
    from bpflab.sim.structs import KernelStruct
    from bpflab.sim.world import World

PF_KTHREAD: Final = 0x00200000
"""Flag of tasks of the kernel itself (linux/sched.h)."""
COMM_SIZE: Final = 16


class Registers(Protocol):
    """Registers of some architecture, such as PtRegs."""

    def to_bytes(self, byteorder: ByteOrder = ...) -> bytes:
        """Return them as they stand in memory."""


@dataclass(slots=True, eq=False)
class Task:
    """A thread: `pid` is its own number, `tgid` that of its process, as the kernel calls them.

    `namespace` is device and inode of its PID namespace with the pid and tgid there, None for the one that sees it as
    above. Stacks are addresses from the innermost call on; an entry of the user stack may also be (build id,
    offset). `regs` are its user registers (`PtRegs`, or their bytes), `areas` its memory areas. Its `task_struct` is
    laid out when it is first asked for: fields of it that are not told here are in `fields`.
    """

    world: World = field(repr=False)
    pid: int
    tgid: int
    comm: str
    uid: int = 0
    gid: int = 0
    cgroup: Cgroup | None = None
    parent: Task | None = None
    kernel_thread: bool = False
    namespace: tuple[int, int, int, int] | None = None
    kernel_stack: Sequence[int] = ()
    user_stack: Sequence[int | tuple[bytes, int]] = ()
    regs: bytes | Registers = b""
    areas: Sequence[Any] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    laid_out: KernelStruct | None = field(default=None, repr=False)
    _address: int = field(default=0, repr=False)

    @property
    def struct(self) -> KernelStruct:
        """Its `struct task_struct`; ArgumentError where the kernel has no BTF."""
        if self.laid_out is None:
            self.laid_out = self._lay_out()
        return self.laid_out

    @property
    def address(self) -> int:
        """Where its structure is; without BTF an address at which nothing can be read."""
        if self._address == 0:
            self._address = self.struct.address if self.world.types.btf is not None else self._opaque()
        return self._address

    @property
    def name(self) -> bytes:
        """Its comm as the kernel keeps it: at most 15 bytes."""
        return self.comm.encode()[: COMM_SIZE - 1]

    def saved(self, order: ByteOrder) -> bytes:
        """Its user registers as they stand in memory; zeros, if there is BTF, where none were given."""
        if not isinstance(self.regs, bytes):
            return self.regs.to_bytes(order)
        from bpflab.obj.btf_layout import size_of

        btf = self.world.types.btf
        found = btf.find("pt_regs", BtfKind.STRUCT) if btf is not None else None
        if self.regs or btf is None or found is None:
            return self.regs

        return bytes(size_of(btf, found))

    def __int__(self) -> int:
        return self.address

    __index__ = __int__

    def _opaque(self) -> int:
        return self.world.memory.add(RegionKind.KERNEL_OBJECT, bytearray(), name="task_struct", owner=self).address

    def _lay_out(self) -> KernelStruct:
        world, kinds = self.world, ("", "e", "s", "fs")
        who: dict[str, Any] = {f"{kind}uid": {"val": self.uid} for kind in kinds} | {
            f"{kind}gid": {"val": self.gid} for kind in kinds
        }
        cred = world.struct("cred", **who)
        values: dict[str, Any] = {
            "pid": self.pid,
            "tgid": self.tgid,
            "comm": self.name,
            "cred": cred,
            "real_cred": cred,
        }
        made = world.struct("task_struct", **values, flags=PF_KTHREAD if self.kernel_thread else 0)
        above = self.parent.struct if self.parent is not None else None
        leader = made if self.pid == self.tgid else None
        made.fill({"real_parent": above, "parent": above, "group_leader": leader})
        if self.cgroup is not None:
            made.fill({"cgroups": world.struct("css_set", dfl_cgrp=self.cgroup.struct)})
        made.fill(self.fields)
        return made


def task_of(world: World, struct: KernelStruct) -> Task:
    """Return a task whose structure was laid out by the test, with what its fields say."""
    return Task(world, struct.pid, struct.tgid, struct.comm, cgroup=world.root_cgroup, laid_out=struct)


def own_facts() -> dict[str, Any]:
    """Return what the kernel would say of the thread that asks: the arguments of `world.task`."""
    namespace = Path("/proc/self/ns/pid")
    facts: dict[str, Any] = {
        "pid": threading.get_native_id(),
        "tgid": os.getpid(),
        "uid": os.getuid(),
        "gid": os.getgid(),
    }
    facts["comm"] = Path(f"/proc/self/task/{facts['pid']}/comm").read_text("utf-8").rstrip("\n")
    status = namespace.stat()
    return facts | {"namespace": (status.st_dev, status.st_ino, facts["pid"], facts["tgid"])}
