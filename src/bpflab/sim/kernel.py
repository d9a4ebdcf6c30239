"""The simulated kernel: its objects, and the commands of bpf(2) sent to the functions that answer them."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from bpflab.abi.attr import LAYOUTS
from bpflab.abi.commands import Command
from bpflab.abi.errno import Errno
from bpflab.sim import user
from bpflab.sim.bpffs import BpfFs
from bpflab.sim.clock import Chance, Clock
from bpflab.sim.commands import find_commands
from bpflab.sim.files import FileTable
from bpflab.sim.kernel_types import RUNNING, KernelTypes
from bpflab.sim.memory import Memory
from bpflab.sim.objects import IdTable, ObjectT
from bpflab.sim.refusal import Refusal
from bpflab.sim.request import ATTR_SIZE, Decoder, Request, check_tail
from bpflab.sim.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bpflab.abi.layout import ByteOrder
    from bpflab.abi.prog_types import ProgType
    from bpflab.sim.bind import Bindings
    from bpflab.sim.btf import SimBtf
    from bpflab.sim.interleave import Interleaving
    from bpflab.sim.links import SimLink
    from bpflab.sim.maps.base import SimMap
    from bpflab.sim.maps.struct_ops import StructOpsMap
    from bpflab.sim.network import Network
    from bpflab.sim.ops_links import OpsLink
    from bpflab.sim.places import Place
    from bpflab.sim.programs import SimProgram
    from bpflab.sim.timers import Timer

UNION_SIZES: Final = {Command.LINK_CREATE: 60}
"""Bytes that a command's attr knows in all, where kinds of it share a union: up to uprobe_multi.pid in Linux 6.18."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a simulated kernel runs on: the number of CPUs, the byte order of programs and maps, its version.

    `btf` are the types of its kernel: raw BTF, a file of it, `running` for those of the kernel that this process runs
    on (none where it offers none), or None for a kernel without types.
    """

    possible_cpus: int = 4
    byteorder: ByteOrder = sys.byteorder
    release: tuple[int, int, int] = (6, 18, 0)
    btf: bytes | str | Path | None = RUNNING


class SimKernel:
    """One simulated kernel: every descriptor, object, region, and its clock.

    `cpu` is the CPU that programs and system calls run on; `counting` says whether programs count their runs.
    Commands run one at a time, under `lock`.
    """

    def __init__(self, machine: Machine | None = None, *, seed: int = 0) -> None:
        self.machine = machine or Machine()
        self.memory = Memory(self.machine.byteorder)
        self.clock = Clock()
        self.random = Chance(seed)
        self.cpu = 0
        self.files = FileTable()
        self.bpffs = BpfFs()
        self.maps: IdTable[SimMap] = IdTable()
        self.programs: IdTable[SimProgram] = IdTable()
        self.btfs: IdTable[SimBtf] = IdTable()
        self.links: IdTable[SimLink | OpsLink] = IdTable()
        self.operations: list[StructOpsMap] = []
        self.places: dict[tuple[object, ...], Place] = {}
        self.types = KernelTypes(self.machine.btf, self.machine.byteorder)
        cpus = self.machine.possible_cpus
        self.world = World(memory=self.memory, types=self.types, network=self._network, cpus=cpus)
        self.counting = 0
        self.timers: dict[int, Timer] = {}
        self.steps = 0
        self.interleaving: Interleaving | None = None
        self._helpers: dict[ProgType, Bindings] = {}
        self.lock = threading.RLock()
        self.wakeup = threading.Condition(self.lock)
        self._commands = _table()

    def command(self, command: int, address: int, size: int) -> int:
        """Answer one call of bpf(2): nonnegative, or a negative errno."""
        try:
            with self.lock:
                decoder, function = self._commands[command]
                return function(self, Request(decoder, address, size))
        except Refusal as refusal:
            return -refusal.errno
        except KeyError:
            if command in self._commands:
                raise
            return _unknown(address, size)

    def find(self, fd: int, kind: type[ObjectT]) -> ObjectT:
        """Return the object of a descriptor; EBADF for no descriptor, EINVAL for an object of another kind."""
        target = self.files.get(fd).object
        if not isinstance(target, kind):
            raise Refusal(Errno.EINVAL)
        return target

    def helpers(self, prog_type: ProgType) -> Bindings:
        """Return the helpers of a program type, by id, as the engine calls them."""
        from bpflab.sim.bind import Bindings

        if prog_type not in self._helpers:
            self._helpers[prog_type] = Bindings(prog_type, self.world.helpers)
        return self._helpers[prog_type]

    def _network(self) -> Network:
        from bpflab.sim.network import Network

        return Network(self)

    def wake(self) -> None:
        """Let those who poll look again."""
        with self.wakeup:
            self.wakeup.notify_all()


@cache
def _table() -> dict[int, tuple[Decoder, Callable[[SimKernel, Request], int]]]:
    functions = find_commands()
    return {
        command: (Decoder(LAYOUTS[command], UNION_SIZES.get(command, 0)), functions[command])
        for command in Command
        if command in functions
    }


def _unknown(address: int, size: int) -> int:
    try:
        check_tail(address, size)
        user.read(address, min(size, ATTR_SIZE))
    except Refusal as refusal:
        return -refusal.errno
    return -Errno.EINVAL
