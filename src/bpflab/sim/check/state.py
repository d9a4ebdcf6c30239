"""What is known at one point of one path: registers and stacks of the functions under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bpflab.abi.insn import REG_COUNT
from bpflab.sim.check.types import PACKETS, Kind
from bpflab.sim.check.value import ANY, SCALAR, UNSET, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Spill(NamedTuple):
    """A register's content on the stack: how many bytes of it, and what is known of it."""

    size: int
    value: Value


class Frame:
    """One function under way: its registers, what its stack holds, and where it was called from.

    `spills` has the known contents of the stack by offset from r10; other bytes may hold anything.
    `start` is the function's first slot, `site` the slot of the call, -1 for the program itself.
    """

    __slots__ = ("callback", "regs", "site", "spills", "start")

    def __init__(self, start: int, site: int, *, callback: bool = False) -> None:
        self.start = start
        self.site = site
        self.callback = callback
        self.regs: list[Value] = [UNSET] * REG_COUNT
        self.spills: dict[int, Spill] = {}

    def copy(self) -> Frame:
        """Make one that can be changed without changing this one."""
        frame = Frame(self.start, self.site, callback=self.callback)
        frame.regs = self.regs.copy()
        frame.spills = self.spills.copy()
        return frame

    def forget(self, low: int, high: int) -> None:
        """Note that bytes between two offsets were overwritten with something unknown."""
        for off in [off for off, spill in self.spills.items() if off < high and low < off + spill.size]:
            del self.spills[off]


class Reference(NamedTuple):
    """Something acquired: its id and the slot of the call that acquired it."""

    id: int
    slot: int


class Lock(NamedTuple):
    """A lock that is held: whose it is (what a pointer points to, and in which map or type), and of which kind.

    `owner` (0, 0) is not known; `resilient` says that it is a bpf_res_spin_lock, `irq` that it was taken with the
    state of interrupts.
    """

    owner: tuple[int, int] = (0, 0)
    resilient: bool = False
    irq: bool = False


class Held(NamedTuple):
    """What a path is within: spin locks, RCU and non-preemptible sections, and the states of interrupts it saved."""

    locks: tuple[Lock, ...] = ()
    rcu: int = 0
    preempt: int = 0
    irqs: tuple[int, ...] = ()

    @property
    def lock(self) -> bool:
        """Whether a lock is held."""
        return bool(self.locks)

    def shape(self) -> tuple[int, int, int, int]:
        """Give what must be the same for two states to be alike."""
        return len(self.locks), self.rcu, self.preempt, len(self.irqs)


class Path:
    """How a state was reached, newest first: a slot, and the registers that it wrote.

    `came_from` is the slot of the jump when a second way was taken up there, -1 otherwise. `slot` -1
    marks nothing but that a state was remembered here.
    """

    __slots__ = ("before", "came_from", "slot", "written")

    def __init__(
        self, before: Path | None, slot: int, written: tuple[tuple[int, Value], ...] = (), came_from: int = -1
    ) -> None:
        self.before = before
        self.slot = slot
        self.written = written
        self.came_from = came_from

    def __iter__(self) -> Iterator[Path]:
        node: Path | None = self
        while node is not None:
            yield node
            node = node.before


class State:
    """A point of a path: the slot, the functions under way, what must be released or ended, how it came here."""

    __slots__ = ("frames", "held", "path", "pc", "references")

    def __init__(self, pc: int, frames: list[Frame]) -> None:
        self.pc = pc
        self.frames = frames
        self.references: tuple[Reference, ...] = ()
        self.held = Held()
        self.path: Path | None = None

    @property
    def frame(self) -> Frame:
        """The function that is running."""
        return self.frames[-1]

    @property
    def regs(self) -> list[Value]:
        """Registers of the function that is running."""
        return self.frames[-1].regs

    @property
    def sites(self) -> tuple[int, ...]:
        """The slots of the calls under way, outermost first."""
        return tuple(frame.site for frame in self.frames)

    def fork(self, pc: int) -> State:
        """Make a second path that goes on at another slot."""
        other = State(pc, [frame.copy() for frame in self.frames])
        other.references = self.references
        other.held = self.held
        other.path = self.path
        return other

    def values(self) -> Iterator[Value]:
        """Yield every value in registers and on stacks."""
        for frame in self.frames:
            yield from frame.regs
            for spill in frame.spills.values():
                yield spill.value

    def replace(self, wanted: Callable[[Value], bool], change: Callable[[Value], Value]) -> None:
        """Change every value that is wanted, in all registers and stacks."""
        for frame in self.frames:
            frame.regs = [change(value) if wanted(value) else value for value in frame.regs]
            for off, spill in frame.spills.items():
                if wanted(spill.value):
                    frame.spills[off] = Spill(spill.size, change(spill.value))

    def release(self, reference: int) -> None:
        """End the hold on something: pointers to it become numbers."""
        self.references = tuple(each for each in self.references if each.id != reference)
        self.replace(lambda value: value.reference == reference, lambda _value: SCALAR)

    def lend(self, reference: int) -> None:
        """Give something acquired to a list or tree: pointers to it stay good until the lock is given back."""
        self.references = tuple(each for each in self.references if each.id != reference)
        self.replace(lambda value: value.reference == reference, lambda value: value._replace(reference=0, lent=True))

    def unlock(self) -> None:
        """Give the lock back that was taken last: pointers to what lists and trees own become numbers."""
        self.held = self.held._replace(locks=self.held.locks[:-1])
        self.replace(lambda value: value.lent, lambda _value: SCALAR)

    def move_packet(self) -> None:
        """Make pointers into the packet numbers: a helper may have moved it."""
        self.replace(lambda value: value.kind in PACKETS, lambda _value: SCALAR)


def joined(old: Value, new: Value) -> Value:
    """Give what holds for both of two values."""
    if old.kind is not new.kind:
        return ANY
    if covers(old, new):
        return old._replace(reference=new.reference) if old.reference else old
    return new if covers(new, old) else ANY


def covers(old: Value, new: Value) -> bool:
    """Whether everything that is allowed with `old` is allowed with `new`, as far as is known."""
    if old is new or old.kind is Kind.ANY or old.kind is Kind.UNSET:
        return True
    if old.kind is not new.kind or old.nullable < new.nullable or bool(old.reference) != bool(new.reference):
        return False
    if not (old.low <= new.low and new.high <= old.high and old.vague <= new.vague):
        return False
    if old.kind is Kind.SCALAR:
        return True
    if (old.btf, old.lent) != (new.btf, new.lent):
        return False
    same = old.map is new.map and old.size <= new.size and old.frame == new.frame
    return same and old.off == new.off and _reaches(old.range, new.range)


def _reaches(old: int, new: int) -> bool:
    return old == new or 0 <= old < new
