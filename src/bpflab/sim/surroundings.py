"""What tracing programs find around them: the current task, cgroups, symbols, counters. A part of the world."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bpflab.abi.errno import Errno
from bpflab.arguments import check_integer, check_type
from bpflab.errors import ArgumentError
from bpflab.sim.cgroups import ROOT_ID, Cgroup, identity_of
from bpflab.sim.probes import Counter, Probe
from bpflab.sim.refusal import refuse_if
from bpflab.sim.region import OFFSET_BITS
from bpflab.sim.seq import SeqFile
from bpflab.sim.tasks import Task, own_facts, task_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path
    from typing import SupportsInt

    from bpflab.sim.structs import KernelStruct
    from bpflab.sim.tasks import Registers
    from bpflab.sim.world import World

LARGEST_ID = (1 << 32) - 1
FIRST_PID = 1000
"""The number of the task that runs programs unless a test says otherwise."""


@dataclass(slots=True)
class Surroundings:
    """The part of a world that tracing programs ask for.

    `symbols` are addresses by name; `paths` the names of `struct path` objects by address; `counters` the perf counters
    that PERF_EVENT_ARRAY maps show, by map name and index; `own_counter` that of the event that runs a program;
    `branches` the pairs (from, to) that the processor recorded last, newest first.
    """

    probe: Probe = field(default_factory=Probe)
    symbols: dict[str, int] = field(default_factory=dict)
    paths: dict[int, str] = field(default_factory=dict)
    counters: dict[tuple[str, int], Counter] = field(default_factory=dict)
    own_counter: Counter = field(default_factory=Counter)
    branches: Sequence[tuple[int, int]] = ()
    cgroups: list[Cgroup] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    files: list[SeqFile] = field(default_factory=list)
    _current: Task | None = None

    @property
    def current(self) -> Task:
        """The task that runs programs: 1000 called `bpflab`, of root, until another one is set.

        A `task_struct` laid out by `world.struct` may be set, too.
        """
        if self._current is None:
            self._current = self.task(pid=FIRST_PID, comm="bpflab")
        return self._current

    @current.setter
    def current(self, task: Task | KernelStruct) -> None:
        if not isinstance(task, Task) and not hasattr(task, "btf_id"):
            raise ArgumentError(
                f"current is {task!r}; expected a task, as world.task(pid=7) or world.struct makes one."
            )
        self._current = task if isinstance(task, Task) else self._adopt(task)

    @property
    def root_cgroup(self) -> Cgroup:
        """The root of the tree, whose id is 1."""
        if not self.cgroups:
            self.cgroups.append(Cgroup(self._world, ROOT_ID, "/"))
        return self.cgroups[0]

    def task(
        self,
        *,
        pid: int,
        tgid: int | None = None,
        comm: str = "",
        uid: int = 0,
        gid: int = 0,
        cgroup: Cgroup | str | Path | None = None,
        parent: Task | None = None,
        kernel_thread: bool = False,
        namespace: tuple[int, int, int, int] | None = None,
        kernel_stack: Sequence[int] = (),
        user_stack: Sequence[int | tuple[bytes, int]] = (),
        regs: bytes | Registers = b"",
        areas: Sequence[Any] = (),
        **fields: Any,  # noqa: ANN401 - fields of task_struct
    ) -> Task:
        """Add a task: `world.current = world.task(pid=7, comm="curl", uid=1000)`.

        `tgid` is the pid unless given; `cgroup` a Cgroup or the directory of one; `fields` further fields of its
        `task_struct`. See `Task` for the others.
        """
        for name, value in (("pid", pid), ("tgid", pid if tgid is None else tgid), ("uid", uid), ("gid", gid)):
            check_integer(name, value, 0, LARGEST_ID)
        check_type("comm", comm, str, "a name")
        made = Task(
            self._world,
            pid,
            pid if tgid is None else tgid,
            comm,
            uid,
            gid,
            cgroup=cgroup if isinstance(cgroup, Cgroup) else self.cgroup(cgroup) if cgroup else self.root_cgroup,
            parent=parent,
            kernel_thread=kernel_thread,
            namespace=namespace,
            kernel_stack=kernel_stack,
            user_stack=user_stack,
            regs=regs,
            areas=areas,
            fields=fields,
        )
        self.tasks.append(made)
        return made

    def this_thread(self) -> Task:
        """Add a task with the numbers, name and ids of the thread that asks: whom the running kernel would see."""
        try:
            return self.task(**own_facts())
        except OSError as error:
            raise ArgumentError(f"What Linux says of this thread cannot be read: {error}.") from error

    def task_at(self, address: int) -> Task | None:
        """Return the task whose structure is at an address, None when there is none."""
        for task in (*self.tasks, self.current):
            if task.address == address:
                return task
        owner: Any = getattr(self._world.memory.find(address), "owner", None)
        return self._adopt(owner) if getattr(owner, "comm", None) is not None and hasattr(owner, "tgid") else None

    def cgroup(
        self,
        directory: str | Path | None = None,
        *,
        parent: Cgroup | None = None,
        id: int | None = None,  # noqa: A002 - the field's own word
        name: str = "",
    ) -> Cgroup:
        """Add a cgroup below `parent`, the root unless given, or return the one of a directory.

        With a directory, which must exist, its id is the inode number, maps may name it by a descriptor, and it lies
        below the cgroup of the directory above if there is one.
        """
        if directory is None:
            higher = parent or self.root_cgroup
            number = id if id is not None else max(each.id for each in self.cgroups) + 1
            return self._add(Cgroup(self._world, number, name, higher))
        try:
            identity = identity_of(directory)
            above = identity_of(f"{directory}/..")
        except OSError as error:
            raise ArgumentError(f"cgroup {str(directory)!r} is no directory: {error}.") from None
        known = {each.identity: each for each in self.cgroups}
        if identity in known:
            return known[identity]
        number = identity[1] if id is None else id
        higher = parent or known.get(above) or self.root_cgroup
        return self._add(Cgroup(self._world, number, name or str(directory), higher, identity))

    def counter(self, map_name: str, index: int, value: int, *, enabled: int = 0, running: int = 0) -> None:
        """Set a perf counter that programs read through a PERF_EVENT_ARRAY map."""
        self.counters[map_name, index] = Counter(value, enabled, running)

    def file(self, name: str, *, inode: dict[str, Any] | None = None, **fields: Any) -> KernelStruct:  # noqa: ANN401 - fields of struct file
        """Lay out an open file: `file("/etc/passwd", inode={"i_ino": 5}, f_flags=2)`.

        Its name is what `d_path(&file->f_path)` gives, and is in the entries behind `f_path.dentry`.
        """
        from bpflab.sim.opened import open_file

        check_type("name", name, str, "a full name such as '/etc/passwd'")
        return open_file(self._world, name, inode or {}, fields)

    def seq_file(self) -> SeqFile:
        """Add the file of an iterator: what programs write into it is its `text`."""
        made = SeqFile(self._world.struct("seq_file"))
        self.files.append(made)
        return made

    def iterations(self, *objects: SupportsInt | tuple[SupportsInt, ...]) -> tuple[SeqFile, list[list[SupportsInt]]]:
        """Return a file, and the arguments of an iterator's program for each object and for the end.

        An object is what the program gets beside its meta: `file, calls = world.iterations(task, other)`, then
        `program.run(args=call)` for each of the calls, and `file.text`. Several values go as a tuple.
        """
        file = self.seq_file()
        rows = [each if isinstance(each, tuple) else (each,) for each in objects]
        end = (0,) * max((len(row) for row in rows), default=1)
        metas = [self._world.struct("bpf_iter_meta", seq=file, session_id=1, seq_num=at) for at in range(len(rows) + 1)]
        return file, [[meta, *row] for meta, row in zip(metas, [*rows, end], strict=True)]

    def descriptor(self, target: SupportsInt) -> int:
        """Return a number that storage maps take as the key of an object of this world, as if it were a descriptor."""
        return int(target) >> OFFSET_BITS

    def identity_of(self, descriptor: int) -> Hashable:
        """Return what tells an object of this world from others by such a number; `Refusal` (EBADF)."""
        address = descriptor << OFFSET_BITS
        refuse_if(self._world.memory.find(address) is None, Errno.EBADF)
        return self.identity_at(address)

    def identity_at(self, address: int) -> Hashable:
        """Return it by address: cgroups that have a directory are told apart by that."""
        found = (each.identity for each in self.cgroups if each.laid_out and each.laid_out.address == address)
        return next(found, None) or address

    def tracepoint(self, event: str, /, **values: Any) -> bytes:  # noqa: ANN401 - the fields' own
        """Return the record of an event by BTF (`struct trace_event_raw_<event>`), for `run(ctx=...)`.

        Texts given to fields that the record has as `__data_loc` are laid out behind it.
        """
        from bpflab.sim.tracepoints import record_layout

        layout = record_layout(self._world.types.required(f"The record of {event}"), event)
        return layout.pack(values, self._world.memory.order)

    @property
    def _world(self) -> World:
        from bpflab.sim.world import World

        if not isinstance(self, World):
            raise ArgumentError("Surroundings belong to a World.")
        return self

    def _add(self, made: Cgroup) -> Cgroup:
        self.cgroups.append(made)
        return made

    def _adopt(self, struct: KernelStruct) -> Task:
        found = task_of(self._world, struct)
        self.tasks.append(found)
        return found
